// Weight rows stored as int4 with one f16 scale for 32 consecutive columns: w = (n - 8) * scale.
// weights: u4 [rows][cols], eight to a word: byte j has column j of the eight in its low half and
// column 4 + j in its high one; scales: f16 [rows][cols / 32], two to a word.
// cols is a multiple of 32.
alias Raw = u32;
@group(0) @binding(0) var<storage, read> weights: array<Raw>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

/// The i-th block of 8 columns, counted through all rows, as it is stored.
fn raw8(i: u32) -> Raw { return weights[i]; }

fn unpack8(raw: Raw) -> mat2x4f {
  return mat2x4f(
    vec4f(unpack4xU8(raw & 0x0f0f0f0fu)) - 8.0,
    vec4f(unpack4xU8((raw >> 4u) & 0x0f0f0f0fu)) - 8.0,
  );
}

/// The scale of four blocks.
fn scale8(group: u32) -> f32 { return unpack2x16float(scales[group / 2u])[group % 2u]; }
