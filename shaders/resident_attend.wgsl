// Attention of the token over the cache: a workgroup takes one of SPLITS parts of the positions for
// one head, and the output product of every workgroup joins them. The current position's keys and
// values are in the exchange. Online softmax over blocks of positions: four lanes score a position,
// then HEAD4 lanes share the columns of the output and every COLUMN_GROUPS-th position.
const BLOCK = LANES / 4u;
const COLUMN_GROUPS = LANES / HEAD4;
const LOWEST = -3.0e38;
const HEAD_WIDTH4 = HEADS * HEAD4;
var<workgroup> query: array<vec4f, HEAD4>;
var<workgroup> fresh_key: array<vec4f, HEAD4>;
var<workgroup> fresh_value: array<vec4f, HEAD4>;
var<workgroup> shares: array<f32, BLOCK>;
var<workgroup> outputs: array<vec4f, LANES>;
/// By part of a head: its highest score, then what a part of the output is to be multiplied with.
var<workgroup> tops: array<f32, HEADS * SPLITS>;
var<workgroup> totals: array<f32, HEADS * SPLITS>;

/// The current position's keys and values of a head; one workgroup puts them into the cache.
fn load_fresh(layer: Layer, head: u32, stores: bool) {
  let at = FRESH + layer.source * 2u * KV_WIDTH + head * HEAD_DIM + lane * 4u;
  if (lane >= HEAD4) { return; }
  let key = wait4(at, turn);
  let value = wait4(at + KV_WIDTH, turn);
  fresh_key[lane] = key;
  fresh_value[lane] = value;
  if (stores) {
    let row = position * (KV_WIDTH / 4u) + head * HEAD4 + lane;
    cache[layer.keys + row] = key;
    cache[layer.values + row] = value;
  }
}

fn attend_part(layer: Layer, head: u32, split: u32, round: u32, position: u32) {
  let kv_head = head / QUERIES_PER_KV;
  let last = position + 1u - layer.strict;
  let first = select(0u, position + 1u - layer.window, layer.window > 0u && position + 1u > layer.window);
  let size = (last - min(first, last) + SPLITS - 1u) / SPLITS;
  let begin = min(first + split * size, last);
  let end = min(begin + size, last);
  let stores = layer.computes == 1u && split == SPLITS - 1u && head % QUERIES_PER_KV == 0u;
  if (lane < HEAD4) { query[lane] = wait4(QUERY + head * HEAD_DIM + lane * 4u, round); }
  if (stores || end > position) { load_fresh(layer, kv_head, stores); }
  workgroupBarrier();

  let offset = kv_head * HEAD4;
  let quarter = lane % 4u;
  let column = lane % HEAD4;
  var top = LOWEST;
  var total = 0.0;
  var output = vec4f(0.0);
  for (var block = begin; block < end; block += BLOCK) {
    let place = min(block + lane / 4u, end - 1u);
    let row = layer.keys + place * (KV_WIDTH / 4u) + offset;
    var score = 0.0;
    for (var c = quarter; c < HEAD4; c += 4u) {
      score += dot(query[c], select(cache[row + c], fresh_key[c], place == position));
    }
    score += subgroupShuffleXor(score, 1u);
    score += subgroupShuffleXor(score, 2u);
    let counts = block + lane / 4u < end;
    let higher = max(top, rounded(max_of_all(select(LOWEST, score, counts), lane)));
    let weight = select(0.0, exp(score - higher), counts && quarter == 0u);
    if (quarter == 0u) { shares[lane / 4u] = weight; }
    let keep = exp(top - higher);
    total = total * keep + sum_of_all(weight, lane);
    top = higher;
    output *= keep;
    let count = select(0u, min(BLOCK, end - block), lane < COLUMN_GROUPS * HEAD4);
    for (var i = lane / HEAD4; i < count; i += COLUMN_GROUPS) {
      let at = block + i;
      let value = cache[layer.values + at * (KV_WIDTH / 4u) + offset + column];
      output += shares[i] * select(value, fresh_value[column], at == position);
    }
    workgroupBarrier();
  }
  outputs[lane] = output;
  workgroupBarrier();
  let part = head * SPLITS + split;
  if (lane < HEAD4) {
    var sum = outputs[lane];
    for (var g = 1u; g < COLUMN_GROUPS; g++) { sum += outputs[g * HEAD4 + lane]; }
    for (var j = 0u; j < 4u; j++) { publish(PARTIAL + part * HEAD_DIM + lane * 4u + j, sum[j], round); }
  }
  if (lane == 0u) {
    for (var j = 0u; j < 4u; j++) {
      publish(TOTALS + part * 4u + j, select(total, top, j == 0u), round);
    }
  }
  workgroupBarrier();
}

fn attend(layer: u32, group: u32, position: u32) {
  for (var task = group; task < HEADS * SPLITS; task += GROUPS) {
    attend_part(plan.layers[layer], task / SPLITS, task % SPLITS, round_of(layer), position);
  }
}

/// x = the joined parts; 0 where no position is visible.
fn gather_attended(round: u32) {
  for (var part = lane; part < HEADS * SPLITS; part += LANES) {
    let found = wait4(TOTALS + part * 4u, round);
    tops[part] = found.x;
    totals[part] = found.y;
  }
  workgroupBarrier();
  for (var at = lane; at < HEAD_WIDTH4; at += LANES) {
    let head = at / HEAD4;
    var read_already: array<vec4u, SPLITS>;
    var top = LOWEST;
    for (var s = 0u; s < SPLITS; s++) {
      read_already[s] = peek4(PARTIAL + ((head * SPLITS + s) * HEAD4 + at % HEAD4) * 4u);
      top = max(top, tops[head * SPLITS + s]);
    }
    var output = vec4f(0.0);
    var total = 0.0;
    for (var s = 0u; s < SPLITS; s++) {
      let part = head * SPLITS + s;
      let share = exp(tops[part] - top);
      let words_at = PARTIAL + (part * HEAD4 + at % HEAD4) * 4u;
      output += share * values_of(await4(words_at, round, read_already[s]));
      total += share * totals[part];
    }
    x[at] = output / max(total, 1.0e-30);
  }
}
