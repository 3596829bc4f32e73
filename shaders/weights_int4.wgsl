// Weight rows stored as int4 with one f16 scale for 32 consecutive columns: w = (n - 8) * scale.
// weights: u4 [rows][cols], eight to a word: byte j has column j of the eight in its low half and
// column 4 + j in its high one; scales: f16 [rows][cols / 32], two to a word.
// cols is a multiple of 32, BLOCKS = cols / 8.
@group(0) @binding(0) var<storage, read> weights: array<u32>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

/// The scale of columns [8 * block, 8 * block + 8) of a row; the same for four blocks.
fn scale_of(row: u32, block: u32) -> f32 {
  let group = row * (BLOCKS / 4u) + block / 4u;
  return unpack2x16float(scales[group / 2u])[group % 2u];
}

/// These columns without their scale, as two vec4.
fn load8_unscaled(row: u32, block: u32) -> mat2x4f {
  let w = weights[row * BLOCKS + block];
  return mat2x4f(
    vec4f(unpack4xU8(w & 0x0f0f0f0fu)) - 8.0,
    vec4f(unpack4xU8((w >> 4u) & 0x0f0f0f0fu)) - 8.0,
  );
}

fn load8(row: u32, block: u32) -> mat2x4f {
  return load8_unscaled(row, block) * scale_of(row, block);
}
