// Weight rows stored as int8 with one f16 scale for 32 consecutive columns: w = q * scale.
// weights: i8 [rows][cols], four to a word; scales: f16 [rows][cols / 32], two to a word.
// cols is a multiple of 32, BLOCKS = cols / 8.
@group(0) @binding(0) var<storage, read> weights: array<vec2u>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;

/// Which scale columns [8 * block, 8 * block + 8) of a row have; the same for four blocks.
fn group_of(row: u32, block: u32) -> u32 { return row * (BLOCKS / 4u) + block / 4u; }

fn scale_of(row: u32, block: u32) -> f32 {
  let group = group_of(row, block);
  return unpack2x16float(scales[group / 2u])[group % 2u];
}

fn integers8(w: vec2u) -> mat2x4f {
  return mat2x4f(vec4f(unpack4xI8(w.x)), vec4f(unpack4xI8(w.y)));
}

/// These columns without their scale, as two vec4.
fn load8_unscaled(row: u32, block: u32) -> mat2x4f {
  return integers8(weights[row * BLOCKS + block]);
}

fn load8(row: u32, block: u32) -> mat2x4f {
  return load8_unscaled(row, block) * scale_of(row, block);
}

/// What `load8` needs, as it is in memory: work can go on until that answers, before `unpack8`.
struct Raw8 { w: vec2u, scales: u32 }

fn fetch8(row: u32, block: u32) -> Raw8 {
  return Raw8(weights[row * BLOCKS + block], scales[group_of(row, block) / 2u]);
}

fn unpack8(raw: Raw8, row: u32, block: u32) -> mat2x4f {
  return integers8(raw.w) * unpack2x16float(raw.scales)[group_of(row, block) % 2u];
}
