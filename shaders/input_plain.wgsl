// The input of a product as it is. x: f32 [T][8 * BLOCKS].
@group(0) @binding(2) var<storage, read> x: array<vec4f>;

/// Columns [8 * block, 8 * block + 8) of a row.
fn input8(row: u32, block: u32) -> mat2x4f {
  let at = (row * BLOCKS + block) * 2u;
  return mat2x4f(x[at], x[at + 1u]);
}
