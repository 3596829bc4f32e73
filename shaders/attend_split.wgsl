// Attention of one to a few new tokens: one part of the positions for QUERIES heads of one row that read the same keys
// (1, 2 or 4), which input_merge.wgsl joins with the other parts (lckv.md section 2).
// q: f32 [T][QKV_STRIDE], rotated and scaled; keys (rotated), values: f32 [slots][KV_WIDTH]; parts:
// f32 [T][MAX_SPLITS][HEADS][PART], a part of a head's output and then its highest score and sum of
// weights.
// An online softmax over blocks of LANES positions: a lane scores one position, then COLUMNS lanes
// share the columns of the outputs and every GROUPS-th position. A vector has a component for each head.
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
var<workgroup> query: array<vec4f, QUERIES * WIDTH4>;
var<workgroup> shares: array<vec4f, LANES>;
var<workgroup> partial: array<vec4f, LANES>;

fn scores_of(key: vec4f, c: u32) -> vec4f {
  var scores = vec4f(dot(query[c], key), 0.0, 0.0, 0.0);
  if (QUERIES > 1u) { scores.y = dot(query[WIDTH4 + c], key); }
  if (QUERIES > 2u) {
    scores.z = dot(query[2u * WIDTH4 + c], key);
    scores.w = dot(query[3u * WIDTH4 + c], key);
  }
  return scores;
}

/// A column of outputs for each head.
fn weighed(share: vec4f, value: vec4f) -> mat4x4f {
  var outputs = mat4x4f();
  outputs[0] = share.x * value;
  if (QUERIES > 1u) { outputs[1] = share.y * value; }
  if (QUERIES > 2u) {
    outputs[2] = share.z * value;
    outputs[3] = share.w * value;
  }
  return outputs;
}

fn max_by_head(value: vec4f, lane: u32) -> vec4f {
  var result = vec4f(max_of_all(value.x, lane));
  if (QUERIES > 1u) { result.y = max_of_all(value.y, lane); }
  if (QUERIES > 2u) {
    result.z = max_of_all(value.z, lane);
    result.w = max_of_all(value.w, lane);
  }
  return result;
}

fn sum_by_head(value: vec4f, lane: u32) -> vec4f {
  var result = vec4f(sum_of_all(value.x, lane));
  if (QUERIES > 1u) { result.y = sum_of_all(value.y, lane); }
  if (QUERIES > 2u) {
    result.z = sum_of_all(value.z, lane);
    result.w = sum_of_all(value.w, lane);
  }
  return result;
}

/// group: which QUERIES heads.
fn attend(group: u32, split: u32, row: u32, lane: u32) {
  let head = group * QUERIES;
  let range = visible(position_of(row));
  let size = split_size();
  let begin = max(range.first, split * size);
  let end = min(range.end, (split + 1u) * size);
  let offset = head / QUERIES_PER_KV * WIDTH4;
  for (var i = lane; i < QUERIES * WIDTH4; i += LANES) {
    query[i] = q[(row * QKV_STRIDE + head * HEAD_DIM) / 4u + i];
  }
  workgroupBarrier();

  var top = vec4f(LOWEST);
  var total = vec4f(0.0);
  var output: array<mat4x4f, TURNS>;
  for (var block = begin; block < end; block += LANES) {
    let position = block + lane;
    let at = slot(row, min(position, end - 1u)) * (KV_WIDTH / 4u) + offset;
    var scores = vec4f(0.0);
    for (var c = 0u; c < WIDTH4; c++) { scores += scores_of(keys[at + c], c); }
    scores = select(vec4f(LOWEST), scores, position < end);
    let higher = max(top, max_by_head(scores, lane));
    let weights = select(vec4f(0.0), exp(scores - higher), position < end);
    shares[lane] = weights;
    let keep = exp(top - higher);
    total = total * keep + sum_by_head(weights, lane);
    top = higher;

    let count = select(0u, min(LANES, end - block), lane < GROUPS * COLUMNS);
    for (var turn = 0u; turn < TURNS; turn++) {
      let old = output[turn];
      output[turn] = mat4x4f(old[0] * keep.x, old[1] * keep.y, old[2] * keep.z, old[3] * keep.w);
    }
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
          output[turn] += weighed(select(vec4f(0.0), shares[min(at, LANES - 1u)], at < LANES), v[k]);
        }
      }
    }
    workgroupBarrier();
  }

  for (var j = 0u; j < QUERIES; j++) {
    let target_at = ((row * MAX_SPLITS + split) * HEADS + head + j) * (PART / 4u);
    for (var turn = 0u; turn < TURNS; turn++) {
      partial[lane] = output[turn][j];
      workgroupBarrier();
      let column = turn * COLUMNS + lane;
      if (lane < COLUMNS && column < WIDTH4) {
        var sum = partial[lane];
        for (var g = 1u; g < GROUPS; g++) { sum += partial[g * COLUMNS + lane]; }
        parts[target_at + column] = sum;
      }
      workgroupBarrier();
    }
    if (lane == 0u) { parts[target_at + WIDTH4] = vec4f(top[j], total[j], 0.0, 0.0); }
  }
}
