// Weight rows stored as int8 with one f16 scale for 32 consecutive columns: w = q * scale.
// weights: i8 [rows][cols], four to a word; scales: f16 [rows][cols / 32], two to a word.
// cols is a multiple of 32.
alias Raw = vec2u;
@group(0) @binding(0) var<storage, read> weights: array<Raw>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

/// The i-th block of 8 columns, counted through all rows, as it is stored.
fn raw8(i: u32) -> Raw { return weights[i]; }

fn unpack8(raw: Raw) -> mat2x4f {
  return mat2x4f(vec4f(unpack4xI8(raw.x)), vec4f(unpack4xI8(raw.y)));
}

/// The scale of four blocks.
fn scale8(group: u32) -> f32 { return unpack2x16float(scales[group / 2u])[group % 2u]; }
