// Products of a matrix with a few rows, TOKENS at a time, for devices with subgroups of any size: decode.
// An input_*.wgsl says what is multiplied, an output_*.wgsl which two rows of the matrix make a pair
// and what becomes of their products. A workgroup owns UNITS units of PAIRS pairs, dealt out to its
// subgroups; the lanes of a subgroup stride over the blocks of 8 columns, so that neighbours read
// neighbouring words, and have DEPTH blocks under way at a time: the memory answers late, and a
// matrix with few rows has too few subgroups to keep it busy otherwise. No barriers; sums in f32.
@group(0) @binding(8) var<uniform> step: Step;

/// With NORM, the sum of squares of the columns that input8 gave last.
var<private> square: f32;

fn unit(first: u32, first_token: u32, lane: u32, lanes: u32) {
  var sum: array<array<vec2f, PAIRS>, TOKENS>;
  var squares: array<f32, TOKENS>;
  // Said outright: Dawn zeroes a variable of a loop only once.
  for (var t = 0u; t < TOKENS; t++) {
    squares[t] = 0.0;
    for (var p = 0u; p < PAIRS; p++) { sum[t][p] = vec2f(0.0); }
  }
  for (var begin = lane; begin < BLOCKS; begin += lanes * DEPTH) {
    var a: array<array<mat2x4f, PAIRS>, DEPTH>;
    var b: array<array<mat2x4f, PAIRS>, DEPTH>;
    for (var d = 0u; d < DEPTH; d++) {
      let block = min(begin + d * lanes, BLOCKS - 1u);
      for (var p = 0u; p < PAIRS; p++) {
        let rows = pair_rows(min(first + p, PAIR_COUNT - 1u));
        a[d][p] = load8(rows.x, block);
        b[d][p] = load8(rows.y, block);
      }
    }
    for (var d = 0u; d < DEPTH; d++) {
      let block = min(begin + d * lanes, BLOCKS - 1u);
      // A block past the end is the last one again, which counts once.
      let share = select(0.0, 1.0, DEPTH == 1u || begin + d * lanes < BLOCKS);
      for (var t = 0u; t < TOKENS; t++) {
        let v = input8(first_token + t, block);
        squares[t] += square * share;
        for (var p = 0u; p < PAIRS; p++) {
          sum[t][p] += share * vec2f(
            dot(a[d][p][0], v[0]) + dot(a[d][p][1], v[1]),
            dot(b[d][p][0], v[0]) + dot(b[d][p][1], v[1]),
          );
        }
      }
    }
  }
  for (var t = 0u; t < TOKENS; t++) {
    var scale = 1.0;
    if (NORM) { scale = inverseSqrt(subgroupAdd(squares[t]) / f32(WIDTH) + EPS); }
    for (var p = 0u; p < PAIRS; p++) {
      let product = subgroupAdd(sum[t][p]) * scale;
      let token = first_token + t;
      if (lane == 0u && token < step.count && first + p < PAIR_COUNT) {
        emit(token, first + p, product);
      }
    }
  }
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  for (var i = subgroup; i < UNITS; i += subgroups) {
    let first = (group.x * UNITS + i) * PAIRS;
    if (first >= PAIR_COUNT) { break; }
    unit(first, group.y * TOKENS, lane, lanes);
  }
}
