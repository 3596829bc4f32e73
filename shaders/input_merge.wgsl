// The output of attend_split.wgsl as the input of a product: the parts of each head, weighed.
// parts: f32 [T][MAX_SPLITS][8 * BLOCKS]; totals: [T][MAX_SPLITS][HEADS] of (highest score, sum).
@group(0) @binding(2) var<storage, read> parts: array<vec4f>;
@group(0) @binding(3) var<storage, read> totals: array<vec2f>;

/// Columns [8 * block, 8 * block + 8) of a row.
fn input8(row: u32, block: u32) -> mat2x4f {
  let head = block * 8u / HEAD_DIM;
  let splits = split_count();
  var top = -3.0e38;
  for (var s = 0u; s < splits; s++) {
    top = max(top, totals[(row * MAX_SPLITS + s) * HEADS + head].x);
  }
  var sum = 0.0;
  var low = vec4f(0.0);
  var high = vec4f(0.0);
  for (var s = 0u; s < splits; s++) {
    let split = row * MAX_SPLITS + s;
    let part = totals[split * HEADS + head];
    let weight = exp(part.x - top);
    sum += part.y * weight;
    let at = (split * BLOCKS + block) * 2u;
    low += parts[at] * weight;
    high += parts[at + 1u] * weight;
  }
  // Without a visible position the sum is 0 and so is the output.
  let scale = 1.0 / max(sum, 1.0e-30);
  return mat2x4f(low * scale, high * scale);
}
