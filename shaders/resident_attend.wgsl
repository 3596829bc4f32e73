// Attention of the tokens over the cache: a workgroup takes one of SPLITS parts of the positions for
// one head of one sequence, and the output product of every workgroup joins them. The current position's keys and
// values are in the exchange. Online softmax over blocks of positions: four lanes score a position,
// then HEAD4 lanes share the columns of the output and every COLUMN_GROUPS-th position.
const BLOCK = LANES / 4u;
const COLUMN_GROUPS = LANES / HEAD4;
const LOWEST = -3.0e38;
const HEAD_WIDTH4 = HEADS * HEAD4;
/// Parts of a sequence.
const ROW_PARTS = HEADS * SPLITS;
var<workgroup> query: array<vec4f, HEAD4>;
var<workgroup> fresh_key: array<vec4f, HEAD4>;
var<workgroup> fresh_value: array<vec4f, HEAD4>;
var<workgroup> shares: array<f32, BLOCK>;
/// By part of a head: its highest score, then what a part of the output is to be multiplied with.
var<workgroup> tops: array<f32, ROWS * ROW_PARTS>;
var<workgroup> totals: array<f32, ROWS * ROW_PARTS>;

/// Where the current keys of a sequence begin in FRESH, in values; its values are behind them.
fn fresh_at(source: u32, row: u32) -> u32 { return (source * ROWS + row) * 2u * KV_WIDTH; }

/// The current position's keys and values of a head; one workgroup puts them into the cache.
fn load_fresh(layer: Layer, row: u32, head: u32, stores: bool) {
  let at = (fresh_at(layer.source, row) + head * HEAD_DIM) / 4u + lane;
  if (lane >= HEAD4) { return; }
  let key = wait(FRESH, at, turn);
  let value = wait(FRESH, at + KV_WIDTH / 4u, turn);
  fresh_key[lane] = key;
  fresh_value[lane] = value;
  if (stores) {
    let to = slot_in(now, row, now.start) * (KV_WIDTH / 4u) + head * HEAD4 + lane;
    cache[layer.keys + to] = key;
    cache[layer.values + to] = value;
  }
}

fn attend_part(layer: Layer, part: u32, round: u32, position: u32) {
  let row = part / ROW_PARTS;
  let head = part / SPLITS % HEADS;
  let split = part % SPLITS;
  let kv_head = head / QUERIES_PER_KV;
  let last = position + 1u - layer.strict;
  let first = select(0u, position + 1u - layer.window, layer.window > 0u && position + 1u > layer.window);
  let size = (last - min(first, last) + SPLITS - 1u) / SPLITS;
  let begin = min(first + split * size, last);
  let end = min(begin + size, last);
  let stores = layer.computes == 1u && split == SPLITS - 1u && head % QUERIES_PER_KV == 0u;
  if (lane < HEAD4) { query[lane] = wait(QUERY, (row * HEADS + head) * HEAD4 + lane, round); }
  if (stores || end > position) { load_fresh(layer, row, kv_head, stores); }
  workgroupBarrier();

  let offset = kv_head * HEAD4;
  let quarter = lane % 4u;
  let column = lane % HEAD4;
  var top = LOWEST;
  var total = 0.0;
  var output = vec4f(0.0);
  for (var block = begin; block < end; block += BLOCK) {
    let place = min(block + lane / 4u, end - 1u);
    let keys = layer.keys + slot_in(now, row, place) * (KV_WIDTH / 4u) + offset;
    var score = 0.0;
    for (var c = quarter; c < HEAD4; c += 4u) {
      score += dot(query[c], select(cache[keys + c], fresh_key[c], place == position));
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
    let held = select(0u, min(BLOCK, end - block), lane < COLUMN_GROUPS * HEAD4);
    for (var i = lane / HEAD4; i < held; i += COLUMN_GROUPS) {
      let at = block + i;
      let value = cache[layer.values + slot_in(now, row, at) * (KV_WIDTH / 4u) + offset + column];
      output += shares[i] * select(value, fresh_value[column], at == position);
    }
    workgroupBarrier();
  }
  x[lane] = output;
  workgroupBarrier();
  if (lane < HEAD4) {
    var sum = x[lane];
    for (var g = 1u; g < COLUMN_GROUPS; g++) { sum += x[g * HEAD4 + lane]; }
    for (var j = 0u; j < 4u; j++) { publish(PARTIAL, (part * HEAD4 + lane) * 4u + j, sum[j], round); }
  }
  if (lane < 4u) { publish(TOTALS, part * 4u + lane, select(total, top, lane == 0u), round); }
  workgroupBarrier();
}

/// The parts of the sequences that there are; `current` is `now`, known to be the same for all lanes.
fn attend(layer: u32, group: u32, current: Step) {
  for (var part = group; part < current.count * ROW_PARTS; part += GROUPS) {
    attend_part(plan.layers[layer], part, round_of(layer), current.start);
  }
}

/// x = a chunk of the joined parts; 0 where no position is visible.
fn gather_attended(round: u32, chunk: u32) {
  let end_part = select(0u, ROW_PARTS, row < now.count && chunk == 0u);
  for (var part = row_lane; part < end_part; part += ROW_LANES) {
    let at = row * ROW_PARTS + part;
    let found = wait(TOTALS, at, round);
    tops[at] = found.x;
    totals[at] = found.y;
  }
  workgroupBarrier();
  let first = chunk * CHUNK_output * 2u;
  let end = select(0u, min(first + CHUNK_output * 2u, HEAD_WIDTH4), row < now.count);
  for (var vector = first + row_lane; vector < end; vector += ROW_LANES) {
    let parts = row * ROW_PARTS + vector / HEAD4 * SPLITS;
    let column = vector % HEAD4;
    var read_already: array<vec4u, SPLITS>;
    var top = LOWEST;
    for (var s = 0u; s < SPLITS; s++) {
      read_already[s] = peek(PARTIAL, (parts + s) * HEAD4 + column);
      top = max(top, tops[parts + s]);
    }
    var output = vec4f(0.0);
    var total = 0.0;
    for (var s = 0u; s < SPLITS; s++) {
      let share = exp(tops[parts + s] - top);
      output += share * await_values(PARTIAL, (parts + s) * HEAD4 + column, round, read_already[s]);
      total += share * totals[parts + s];
    }
    x[x_at(row, vector - first)] = output / max(total, 1.0e-30);
  }
}
