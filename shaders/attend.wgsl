// o[t][head] = softmax(q . K) V over the visible positions, 0 where none is visible.
// qkv: f32 [T][QKV_STRIDE], queries first; rotation: f32 [positions][HEAD_DIM / 2] of (cos, sin);
// keys (already rotated), values: f32 [slots][KV_WIDTH]; o: f32 [T][O_STRIDE].
// A workgroup owns TOKENS tokens of one head and walks over blocks of positions with an online
// softmax: first a lane owns a position and scores it for every token, then a lane owns a column of
// the output. Rows of branches need TOKENS = 1. Query head a reads kv head a / QUERIES_PER_KV (grouped heads).
@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> rotation: array<vec2f>;
@group(0) @binding(2) var<storage, read> keys: array<vec4f>;
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> o: array<f32>;
@group(0) @binding(5) var<uniform> step: Step;

const_assert BLOCK % LANES == 0u;
const HALF = HEAD_DIM / 2u;
const COLUMNS = (HEAD_DIM + LANES - 1u) / LANES;
const LOWEST = -3.0e38;
/// Queries [TOKENS][HEAD_DIM], then softmax weights [TOKENS][BLOCK].
const WEIGHTS = TOKENS * HEAD_DIM;
var<workgroup> scratch: array<f32, WEIGHTS + TOKENS * BLOCK>;
var<workgroup> partial: array<f32, TOKENS * LANES>;
/// Per token: highest score and sum of weights so far, and what a new highest leaves of the old.
var<workgroup> highest: array<f32, TOKENS>;
var<workgroup> total: array<f32, TOKENS>;
var<workgroup> keep: array<f32, TOKENS>;

/// Rotates (RoPE, half rotation) and scales the queries into workgroup memory.
fn load_queries(head: u32, first: u32, lane: u32) {
  let scale = 1.0 / sqrt(f32(HEAD_DIM));
  for (var i = lane; i < TOKENS * HALF; i += LANES) {
    let token = min(first + i / HALF, step.count - 1u);
    let column = i % HALF;
    let turn = rotation[position_of(token) * HALF + column];
    let source = token * QKV_STRIDE + head * HEAD_DIM + column;
    let a = qkv[source] * scale;
    let b = qkv[source + HALF] * scale;
    let at = i / HALF * HEAD_DIM + column;
    scratch[at] = a * turn.x - b * turn.y;
    scratch[at + HALF] = b * turn.x + a * turn.y;
  }
  if (lane < TOKENS) {
    highest[lane] = LOWEST;
    total[lane] = 0.0;
  }
}

fn attend(head: u32, first: u32, lane: u32) {
  load_queries(head, first, lane);
  workgroupBarrier();
  let offset = head / QUERIES_PER_KV * HEAD_DIM;
  let begin = visible(position_of(first)).first;
  let end = visible(position_of(min(first + TOKENS, step.count) - 1u)).end;
  var output: array<array<f32, TOKENS>, COLUMNS>;

  for (var block = begin; block < end; block += BLOCK) {
    let count = min(BLOCK, (end - block + LANES - 1u) / LANES * LANES);

    var best: array<f32, TOKENS>;
    for (var t = 0u; t < TOKENS; t++) { best[t] = LOWEST; }
    for (var base = 0u; base < count; base += LANES) {
      let i = base + lane;
      let position = block + i;
      let row = (slot(first, min(position, end - 1u)) * KV_WIDTH + offset) / 4u;
      // Said outright: Dawn zeroes a variable declared in a loop only once.
      var score: array<f32, TOKENS>;
      for (var t = 0u; t < TOKENS; t++) { score[t] = 0.0; }
      for (var c = 0u; c < HEAD_DIM / 8u; c++) {
        let low = keys[row + c * 2u];
        let high = keys[row + c * 2u + 1u];
        for (var t = 0u; t < TOKENS; t++) {
          let q = scratch8(t * HEAD_DIM + c * 8u);
          score[t] += dot(q[0], low) + dot(q[1], high);
        }
      }
      for (var t = 0u; t < TOKENS; t++) {
        let range = visible(position_of(first + t));
        let seen = position >= range.first && position < range.end;
        let value = select(LOWEST, score[t], seen);
        scratch[WEIGHTS + t * BLOCK + i] = value;
        best[t] = max(best[t], value);
      }
    }
    for (var t = 0u; t < TOKENS; t++) { partial[t * LANES + lane] = best[t]; }
    workgroupBarrier();

    if (lane < TOKENS) {
      var top = highest[lane];
      for (var i = 0u; i < LANES; i++) { top = max(top, partial[lane * LANES + i]); }
      keep[lane] = exp(highest[lane] - top);
      highest[lane] = top;
    }
    workgroupBarrier();

    for (var t = 0u; t < TOKENS; t++) {
      var sum = 0.0;
      for (var i = lane; i < count; i += LANES) {
        let at = WEIGHTS + t * BLOCK + i;
        let value = scratch[at];
        let weight = select(0.0, exp(value - highest[t]), value > LOWEST);
        scratch[at] = weight;
        sum += weight;
      }
      partial[t * LANES + lane] = sum;
    }
    workgroupBarrier();

    if (lane < TOKENS) {
      var sum = total[lane] * keep[lane];
      for (var i = 0u; i < LANES; i++) { sum += partial[lane * LANES + i]; }
      total[lane] = sum;
    }
    for (var c = 0u; c < COLUMNS; c++) {
      let column = offset + min(c * LANES + lane, HEAD_DIM - 1u);
      for (var t = 0u; t < TOKENS; t++) { output[c][t] *= keep[t]; }
      for (var i = 0u; i < count; i += 8u) {
        var v: array<f32, 8>;
        for (var j = 0u; j < 8u; j++) {
          v[j] = values[slot(first, min(block + i + j, end - 1u)) * KV_WIDTH + column];
        }
        let low = vec4f(v[0], v[1], v[2], v[3]);
        let high = vec4f(v[4], v[5], v[6], v[7]);
        for (var t = 0u; t < TOKENS; t++) {
          let weight = scratch8(WEIGHTS + t * BLOCK + i);
          output[c][t] += dot(weight[0], low) + dot(weight[1], high);
        }
      }
    }
    workgroupBarrier();
  }

  for (var c = 0u; c < COLUMNS; c++) {
    let column = c * LANES + lane;
    for (var t = 0u; t < TOKENS && first + t < step.count; t++) {
      if (column < HEAD_DIM) {
        // Without a visible position the sum is 0 and so is the output.
        let at = (first + t) * O_STRIDE + head * HEAD_DIM + column;
        o[at] = output[c][t] / max(total[t], 1.0e-30);
      }
    }
  }
}
