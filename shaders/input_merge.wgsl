// The output of attend_split.wgsl as the input of a product: the parts of each head, weighed.
// parts: f32 [T][MAX_SPLITS][HEADS][PART].
@group(0) @binding(2) var<storage, read> parts: array<vec4f>;

/// Splits taken at a time, so that their loads need not wait for one another.
const TOGETHER = min(4u, MAX_SPLITS);

/// Columns [8 * block, 8 * block + 8) of a row.
fn input8(row: u32, block: u32) -> mat2x4f {
  let head = block * 8u / HEAD_DIM;
  let column = block * 8u % HEAD_DIM / 4u;
  let splits = split_count();
  // Where all of them come at once, the compiler is to see that and let rows overlap.
  let turns = select(splits, 1u, MAX_SPLITS == TOGETHER);
  let stride = HEADS * (PART / 4u);
  let first = row * MAX_SPLITS * stride + head * (PART / 4u);
  var top = -3.0e38;
  var sum = 0.0;
  var low = vec4f(0.0);
  var high = vec4f(0.0);
  for (var s = 0u; s < turns; s += TOGETHER) {
    var total: array<vec4f, TOGETHER>;
    var a: array<vec4f, TOGETHER>;
    var b: array<vec4f, TOGETHER>;
    var higher = top;
    for (var i = 0u; i < TOGETHER; i++) {
      let at = first + min(s + i, splits - 1u) * stride;
      total[i] = parts[at + HEAD_DIM / 4u];
      a[i] = parts[at + column];
      b[i] = parts[at + column + 1u];
      higher = max(higher, total[i].x);
    }
    let keep = exp(top - higher);
    sum *= keep;
    low *= keep;
    high *= keep;
    top = higher;
    for (var i = 0u; i < TOGETHER; i++) {
      let weight = select(0.0, exp(total[i].x - top), s + i < splits);
      sum += total[i].y * weight;
      low += a[i] * weight;
      high += b[i] * weight;
    }
  }
  // Without a visible position the sum is 0 and so is the output.
  let scale = 1.0 / max(sum, 1.0e-30);
  return mat2x4f(low * scale, high * scale);
}
