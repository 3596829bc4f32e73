// RMSNorm as the input of a product (lckv.md section 2): the columns come times the norm's weight,
// and `square`, summed up, makes a factor of the finished product.
// h: f32 [T][8 * BLOCKS], of which the first WIDTH columns count; norm: f32, 0 in the pad.
// With ONE_ROW, row 0 is row step.logit_row.
@group(0) @binding(2) var<storage, read> h: array<vec4f>;
@group(0) @binding(3) var<storage, read> norm: array<vec4f>;

/// Columns [8 * block, 8 * block + 8) of a row.
fn input8(row: u32, block: u32) -> mat2x4f {
  var at = (row * BLOCKS + block) * 2u;
  if (ONE_ROW) { at = (step.logit_row * BLOCKS + block) * 2u; }
  let low = h[at];
  let high = h[at + 1u];
  square = dot(low, low) + dot(high, high);
  return mat2x4f(low * norm[block * 2u], high * norm[block * 2u + 1u]);
}
