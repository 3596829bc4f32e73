// Weight rows stored as f32. cols is padded to a multiple of 8, BLOCKS = cols / 8.
@group(0) @binding(0) var<storage, read> weights: array<vec4f>;

alias Raw8 = mat2x4f;

/// Columns [8 * block, 8 * block + 8) of a row, as two vec4.
fn load8(row: u32, block: u32) -> mat2x4f {
  let at = (row * BLOCKS + block) * 2u;
  return mat2x4f(weights[at], weights[at + 1u]);
}

fn load8_unscaled(row: u32, block: u32) -> mat2x4f { return load8(row, block); }
fn scale_of(row: u32, block: u32) -> f32 { return 1.0; }

fn fetch8(row: u32, block: u32) -> Raw8 { return load8(row, block); }
fn unpack8(w: Raw8, row: u32, block: u32) -> mat2x4f { return w; }
