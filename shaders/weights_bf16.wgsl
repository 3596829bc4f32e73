// Weight rows stored as bf16, two to a word: a bf16 is the upper half of an f32.
// cols is padded to a multiple of 8, BLOCKS = cols / 8.
@group(0) @binding(0) var<storage, read> weights: array<vec4u>;

alias Raw8 = vec4u;

fn fetch8(row: u32, block: u32) -> Raw8 { return weights[row * BLOCKS + block]; }

fn unpack8(w: Raw8, row: u32, block: u32) -> mat2x4f {
  let low = bitcast<vec4f>(w << vec4u(16u));
  let high = bitcast<vec4f>(w & vec4u(0xffff0000u));
  return mat2x4f(
    vec4f(low.x, high.x, low.y, high.y),
    vec4f(low.z, high.z, low.w, high.w),
  );
}

/// Columns [8 * block, 8 * block + 8) of a row, as two vec4; fetched and unpacked apart where work can
/// go on until the memory answers.
fn load8(row: u32, block: u32) -> mat2x4f { return unpack8(fetch8(row, block), row, block); }

fn load8_unscaled(row: u32, block: u32) -> mat2x4f { return load8(row, block); }
fn scale_of(row: u32, block: u32) -> f32 { return 1.0; }
