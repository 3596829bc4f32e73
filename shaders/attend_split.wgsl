// Attention of one to a few new tokens: one part of the positions for one head of one row, which
// input_merge.wgsl joins with the other parts (lckv.md section 2).
// q: f32 [T][QKV_STRIDE], rotated and scaled; keys (rotated), values: f32 [slots][KV_WIDTH]; parts:
// f32 [T][MAX_SPLITS][HEADS][PART], a part of a head's output and then its highest score and sum of
// weights.
// An online softmax over blocks of LANES positions: a lane scores one position, then COLUMNS lanes
// share the columns of the output and every GROUPS-th position.
@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> keys: array<vec4f>;
@group(0) @binding(2) var<storage, read> values: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> parts: array<vec4f>;
@group(0) @binding(4) var<uniform> step: Step;

const WIDTH4 = HEAD_DIM / 4u;
const COLUMNS = min(WIDTH4, LANES);
const GROUPS = LANES / COLUMNS;
/// Loads of values that an invocation has under way: with heads of 64, all that it has in a block.
const TOGETHER = min(16u, (LANES + GROUPS - 1u) / GROUPS);
/// Columns of a lane.
const TURNS = (WIDTH4 + COLUMNS - 1u) / COLUMNS;
const LOWEST = -3.0e38;
var<workgroup> query: array<vec4f, WIDTH4>;
var<workgroup> shares: array<f32, LANES>;
var<workgroup> partial: array<vec4f, LANES>;

fn attend(head: u32, split: u32, row: u32, lane: u32) {
  let range = visible(position_of(row));
  let size = split_size();
  let begin = max(range.first, split * size);
  let end = min(range.end, (split + 1u) * size);
  let offset = head / QUERIES_PER_KV * WIDTH4;
  for (var i = lane; i < WIDTH4; i += LANES) {
    query[i] = q[(row * QKV_STRIDE + head * HEAD_DIM) / 4u + i];
  }
  workgroupBarrier();

  var top = LOWEST;
  var total = 0.0;
  var output: array<vec4f, TURNS>;
  for (var block = begin; block < end; block += LANES) {
    let position = block + lane;
    let at = slot(row, min(position, end - 1u)) * (KV_WIDTH / 4u) + offset;
    var score = 0.0;
    for (var c = 0u; c < WIDTH4; c++) { score += dot(query[c], keys[at + c]); }
    score = select(LOWEST, score, position < end);
    let higher = max(top, max_of_all(score, lane));
    let weight = select(0.0, exp(score - higher), position < end);
    shares[lane] = weight;
    let keep = exp(top - higher);
    total = total * keep + sum_of_all(weight, lane);
    top = higher;

    let count = select(0u, min(LANES, end - block), lane < GROUPS * COLUMNS);
    for (var turn = 0u; turn < TURNS; turn++) { output[turn] *= keep; }
    // TOGETHER at a time, so that loads need not wait for one another.
    for (var i = lane / COLUMNS; i < count; i += GROUPS * TOGETHER) {
      for (var turn = 0u; turn < TURNS; turn++) {
        var v: array<vec4f, TOGETHER>;
        for (var k = 0u; k < TOGETHER; k++) {
          let position = min(block + i + k * GROUPS, end - 1u);
          let column = min(turn * COLUMNS + lane % COLUMNS, WIDTH4 - 1u);
          v[k] = values[slot(row, position) * (KV_WIDTH / 4u) + offset + column];
        }
        for (var k = 0u; k < TOGETHER; k++) {
          let at = i + k * GROUPS;
          output[turn] += select(0.0, shares[min(at, LANES - 1u)], at < LANES) * v[k];
        }
      }
    }
    workgroupBarrier();
  }

  let target_at = ((row * MAX_SPLITS + split) * HEADS + head) * (PART / 4u);
  for (var turn = 0u; turn < TURNS; turn++) {
    partial[lane] = output[turn];
    workgroupBarrier();
    let column = turn * COLUMNS + lane;
    if (lane < COLUMNS && column < WIDTH4) {
      var sum = partial[lane];
      for (var g = 1u; g < GROUPS; g++) { sum += partial[g * COLUMNS + lane]; }
      parts[target_at + column] = sum;
    }
    workgroupBarrier();
  }
  if (lane == 0u) { parts[target_at + WIDTH4] = vec4f(top, total, 0.0, 0.0); }
}
