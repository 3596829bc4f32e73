// Attention of the tokens over the cache. A workgroup takes one of SPLITS parts of the positions for SHARED_HEADS heads
// of one sequence that read the same keys and values, and the output product of every workgroup joins the parts.
// The current position's keys and values are in the exchange. Online softmax: POSITION_LANES lanes take a position
// with all of these heads, a few columns each, and keep what they have seen until the end; then they are joined, first
// in a subgroup, then through workgroup memory. Lines with EACH_HEAD, EACH_VECTOR or EACH_SPLIT are there once for each
// of these heads, each vector of a lane's columns and each part (src/engine/unroll.ts).
const BLOCK = LANES / POSITION_LANES;
const LOWEST = -3.0e38;
const HEAD_WIDTH4 = HEADS * HEAD4;
/// Parts of a sequence, and how many of them a workgroup takes together.
const ROW_PARTS = HEADS * SPLITS;
const UNITS = HEADS / SHARED_HEADS * SPLITS;
/// Queries of the heads, then the current position's keys and values.
const NEW_KEY = SHARED_HEADS * HEAD4;
const NEW_VALUE = NEW_KEY + HEAD4;
var<workgroup> given: array<vec4f, NEW_VALUE + HEAD4>;
/// By subgroup and head: highest score, and the sum of exp(score - highest).
var<workgroup> marks: array<vec2f, SUBGROUPS * SHARED_HEADS>;
/// By part of a head: its highest score and its sum.
var<workgroup> tops: array<vec2f, ROWS * ROW_PARTS>;

/// Where the current keys of a sequence begin in FRESH, in values; its values are behind them.
fn fresh_at(source: u32, row: u32) -> u32 { return (source * ROWS + row) * 2u * KV_WIDTH; }

/// Waits for what attention is `given`, the current keys and values only where they are seen or go into the cache.
fn receive(layer: Layer, row: u32, first_head: u32, sees: bool, stores: bool, round: u32) {
  let kv_head = first_head / QUERIES_PER_KV;
  let fresh = fresh_at(layer.source, row) / 4u + kv_head * HEAD4;
  let end = select(NEW_KEY, NEW_VALUE + HEAD4, sees || stores);
  for (var i = lane; i < end; i += LANES) {
    let column = i % HEAD4;
    let is_value = i >= NEW_VALUE;
    if (i < NEW_KEY) {
      given[i] = wait(QUERY, (row * HEADS + first_head) * HEAD4 + i, round);
      continue;
    }
    given[i] = wait(FRESH, fresh + column + select(0u, KV_WIDTH / 4u, is_value), turn);
    if (stores) {
      let to = slot_in(now, first_row + row, now.start) * (KV_WIDTH / 4u) + kv_head * HEAD4 + column;
      cache[select(layer.keys, layer.values, is_value) + to] = given[i];
    }
  }
}

/// A lane's vector of what is given, 0 where it has no such column.
fn given_at(index: u32, column: u32) -> vec4f {
  return select(vec4f(0.0), given[index * HEAD4 + min(column, HEAD4 - 1u)], column < HEAD4);
}

fn attend_unit(layer: Layer, unit: u32, round: u32, position: u32) {
  let row = unit / UNITS;
  let first_head = unit % UNITS / SPLITS * SHARED_HEADS;
  let split = unit % SPLITS;
  let last = position + 1u - layer.strict;
  let first = select(0u, position + 1u - layer.window, layer.window > 0u && position + 1u > layer.window);
  let size = (last - min(first, last) + SPLITS - 1u) / SPLITS;
  let begin = min(first + split * size, last);
  let end = min(begin + size, last);
  let stores = layer.computes == 1u && split == SPLITS - 1u && first_head % QUERIES_PER_KV == 0u;
  receive(layer, row, first_head, end > position, stores, round);
  workgroupBarrier();

  let column = lane % POSITION_LANES;
  let kv_column = first_head / QUERIES_PER_KV * HEAD4;
  var top_EACH_HEAD = LOWEST;
  var total_EACH_HEAD = 0.0;
  var output_EACH_HEAD_EACH_VECTOR = vec4f(0.0);
  let query_EACH_HEAD_EACH_VECTOR = given_at(EACH_HEAD, column + EACH_VECTOR * POSITION_LANES);
  for (var block = begin; block < end; block += BLOCK) {
    let place = min(block + lane / POSITION_LANES, end - 1u);
    let counts = block + lane / POSITION_LANES < end;
    let in_cache = slot_in(now, first_row + row, place) * (KV_WIDTH / 4u) + kv_column;
    let keys = layer.keys + in_cache;
    let values = layer.values + in_cache;
    let is_fresh = place == position;
    let at_EACH_VECTOR = min(column + EACH_VECTOR * POSITION_LANES, HEAD4 - 1u);
    let key_EACH_VECTOR = select(cache[keys + at_EACH_VECTOR], given[NEW_KEY + at_EACH_VECTOR], is_fresh);
    let value_EACH_VECTOR = select(cache[values + at_EACH_VECTOR], given[NEW_VALUE + at_EACH_VECTOR], is_fresh);
    var score_EACH_HEAD = 0.0;
    score_EACH_HEAD += dot(query_EACH_HEAD_EACH_VECTOR, key_EACH_VECTOR);
    for (var mask = 1u; mask < POSITION_LANES; mask *= 2u) {
      score_EACH_HEAD += subgroupShuffleXor(score_EACH_HEAD, mask);
    }
    let higher_EACH_HEAD = max(top_EACH_HEAD, select(LOWEST, score_EACH_HEAD, counts));
    let weight_EACH_HEAD = select(0.0, exp(score_EACH_HEAD - higher_EACH_HEAD), counts);
    let keep_EACH_HEAD = exp(top_EACH_HEAD - higher_EACH_HEAD);
    total_EACH_HEAD = total_EACH_HEAD * keep_EACH_HEAD + weight_EACH_HEAD;
    top_EACH_HEAD = higher_EACH_HEAD;
    output_EACH_HEAD_EACH_VECTOR *= keep_EACH_HEAD;
    output_EACH_HEAD_EACH_VECTOR += weight_EACH_HEAD * value_EACH_VECTOR;
  }

  var highest_EACH_HEAD = top_EACH_HEAD;
  for (var mask = POSITION_LANES; mask < lanes; mask *= 2u) {
    highest_EACH_HEAD = max(highest_EACH_HEAD, subgroupShuffleXor(highest_EACH_HEAD, mask));
  }
  let share_EACH_HEAD = exp(top_EACH_HEAD - highest_EACH_HEAD);
  total_EACH_HEAD *= share_EACH_HEAD;
  output_EACH_HEAD_EACH_VECTOR *= share_EACH_HEAD;
  for (var mask = POSITION_LANES; mask < lanes; mask *= 2u) {
    total_EACH_HEAD += subgroupShuffleXor(total_EACH_HEAD, mask);
    output_EACH_HEAD_EACH_VECTOR += subgroupShuffleXor(output_EACH_HEAD_EACH_VECTOR, mask);
  }
  let mine = my_subgroup * SHARED_HEADS;
  if (subgroup_lane == 0u) {
    marks[mine + EACH_HEAD] = vec2f(highest_EACH_HEAD, total_EACH_HEAD);
  }
  if (subgroup_lane < POSITION_LANES) {
    keep(mine + EACH_HEAD, column + EACH_VECTOR * POSITION_LANES, output_EACH_HEAD_EACH_VECTOR);
  }
  workgroupBarrier();
  publish_unit((row * HEADS + first_head) * SPLITS + split, round);
  workgroupBarrier();
}

/// Leaves a subgroup's part of the output in x.
fn keep(index: u32, column: u32, output: vec4f) {
  if (column < HEAD4) { x[index * HEAD4 + column] = output; }
}

/// Joins what the subgroups found of each head.
fn publish_unit(first_part: u32, round: u32) {
  for (var i = lane; i < SHARED_HEADS * HEAD4; i += LANES) {
    let head = i / HEAD4;
    var top = LOWEST;
    for (var s = 0u; s < subgroup_count; s++) { top = max(top, marks[s * SHARED_HEADS + head].x); }
    top = rounded(top);
    var sum = vec4f(0.0);
    var total = 0.0;
    for (var s = 0u; s < subgroup_count; s++) {
      let mark = marks[s * SHARED_HEADS + head];
      let share = exp(mark.x - top);
      sum += share * x[s * SHARED_HEADS * HEAD4 + i];
      total += share * mark.y;
    }
    let part = first_part + head * SPLITS;
    for (var j = 0u; j < 4u; j++) {
      publish(PARTIAL, (part * HEAD4 + i % HEAD4) * 4u + j, sum[j], round);
      if (i % HEAD4 == 0u) { publish(TOTALS, part * 4u + j, select(total, top, j == 0u), round); }
    }
  }
}

/// The units of the team's sequences; all but `layer` are known to be the same for all lanes.
fn attend(layer: u32, group: u32, sequences: u32, position: u32) {
  for (var unit = group; unit < sequences * UNITS; unit += GROUPS) {
    attend_unit(plan.layers[layer], unit, round_of(layer), position);
  }
}

/// x = a chunk of the joined parts; 0 where no position is visible.
fn gather_attended(round: u32, chunk: u32) {
  let end_part = select(0u, ROW_PARTS, row < count && chunk == 0u);
  for (var part = row_lane; part < end_part; part += ROW_LANES) {
    let at = row * ROW_PARTS + part;
    tops[at] = wait(TOTALS, at, round).xy;
  }
  workgroupBarrier();
  let first = chunk * CHUNK_output * 2u;
  let end = select(0u, min(first + CHUNK_output * 2u, HEAD_WIDTH4), row < count);
  for (var vector = first + row_lane; vector < end; vector += ROW_LANES) {
    let parts = row * ROW_PARTS + vector / HEAD4 * SPLITS;
    var top = LOWEST;
    var output = vec4f(0.0);
    var total = 0.0;
    let at_EACH_SPLIT = (parts + EACH_SPLIT) * HEAD4 + vector % HEAD4;
    let words_EACH_SPLIT = peek(PARTIAL, at_EACH_SPLIT);
    top = max(top, tops[parts + EACH_SPLIT].x);
    let share_EACH_SPLIT = exp(tops[parts + EACH_SPLIT].x - top);
    output += share_EACH_SPLIT * await_values(PARTIAL, at_EACH_SPLIT, round, words_EACH_SPLIT);
    total += share_EACH_SPLIT * tops[parts + EACH_SPLIT].y;
    x[x_at(row, vector - first)] = output / max(total, 1.0e-30);
  }
}
