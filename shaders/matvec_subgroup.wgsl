// Products of a matrix with a few rows, TOKENS at a time, for devices with subgroups of any size: decode.
// An input_*.wgsl says what is multiplied, an output_*.wgsl which two rows of the matrix make a pair
// and what becomes of their products. A workgroup owns UNITS units of PAIRS pairs, dealt out to its
// subgroups; the lanes of a subgroup stride over the blocks of 8 columns, so that neighbours read
// neighbouring words, and have DEPTH blocks under way at a time: the memory answers late, and a
// matrix with few rows has too few subgroups to keep it busy otherwise. No barriers; sums in f32.
// Subgroups have 8 lanes at least.
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
  if (TOKENS == 1u) {
    emit_one(first, first_token, lane, squares[0], sum[0]);
    return;
  }
  var scale = 1.0;
  if (NORM) {
    var items: array<vec2f, 8>;
    for (var t = 0u; t < TOKENS; t++) { items[t] = vec2f(squares[t]); }
    scale = inverseSqrt(dealt_sum(items, lane, lanes).x / f32(WIDTH) + EPS);
  }
  // Eight of the unit's products at a time: lane i ends up with the i-th, and makes of it what is to
  // be made, which reads memory, beside the others.
  for (var begin = 0u; begin < TOKENS * PAIRS; begin += 8u) {
    var items: array<vec2f, 8>;
    for (var i = 0u; i < 8u; i++) {
      let item = min(begin + i, TOKENS * PAIRS - 1u);
      items[i] = sum[item / PAIRS][item % PAIRS];
    }
    var product = dealt_sum(items, lane, lanes);
    let item = min(begin + lane % 8u, TOKENS * PAIRS - 1u);
    if (NORM) { product *= subgroupShuffle(scale, item / PAIRS); }
    let token = first_token + item / PAIRS;
    let pair = first + item % PAIRS;
    let is_owner = lane < 8u && begin + lane < TOKENS * PAIRS;
    if (is_owner && token < step.count && pair < PAIR_COUNT) { emit(token, pair, product); }
  }
}

fn emit_one(first: u32, token: u32, lane: u32, squares: f32, sum: array<vec2f, PAIRS>) {
  var scale = 1.0;
  if (NORM) { scale = inverseSqrt(subgroupAdd(squares) / f32(WIDTH) + EPS); }
  for (var p = 0u; p < PAIRS; p++) {
    let product = subgroupAdd(sum[p]) * scale;
    if (lane == 0u && token < step.count && first + p < PAIR_COUNT) {
      emit(token, first + p, product);
    }
  }
}

/// The sum over the subgroup of item lane % 8. Lanes exchange the halves that they do not want, so
/// that eight sums take few more steps than one.
fn dealt_sum(items: array<vec2f, 8>, lane: u32, lanes: u32) -> vec2f {
  let has_4 = (lane & 4u) > 0u;
  let has_2 = (lane & 2u) > 0u;
  let has_1 = (lane & 1u) > 0u;
  var four: array<vec2f, 4>;
  for (var i = 0u; i < 4u; i++) {
    let other = subgroupShuffleXor(select(items[i + 4u], items[i], has_4), 4u);
    four[i] = select(items[i], items[i + 4u], has_4) + other;
  }
  var two: array<vec2f, 2>;
  for (var i = 0u; i < 2u; i++) {
    let other = subgroupShuffleXor(select(four[i + 2u], four[i], has_2), 2u);
    two[i] = select(four[i], four[i + 2u], has_2) + other;
  }
  var sum = select(two[0], two[1], has_1) + subgroupShuffleXor(select(two[1], two[0], has_1), 1u);
  for (var step_size = 8u; step_size < lanes; step_size *= 2u) {
    sum += subgroupShuffleXor(sum, step_size);
  }
  return sum;
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
