// lm_head and the likeliest token of each sequence, as argmax.wgsl chooses it: the first of equal ones, with the
// logarithm of its probability. Every workgroup publishes its best id, that one's logit in two words as
// ties must be told, and its sum of exp(logit - best); the first one joins them.
var<private> best: Best;

struct Best { value: f32, id: u32, total: f32 }

fn none() -> Best { return Best(-3.4e38, 0xffffffu, 0.0); }

fn better(a: Best, b: Best) -> Best {
  let value = max(a.value, b.value);
  let total = a.total * exp(a.value - value) + b.total * exp(b.value - value);
  let is_b = b.value > a.value || (b.value == a.value && b.id < a.id);
  return Best(value, select(a.id, b.id, is_b), total);
}

fn raw_head(at: u32) -> Raw { return table8(at); }
fn scale_of_head(at: u32) -> f32 { return table_scale8(at); }
fn place_head(layer: u32) -> Place { return plan.head; }
fn pairs_head(layer: u32) -> u32 { return (VOCAB + 1u) / 2u; }
fn rows_head(pair: u32) -> vec2u { return vec2u(pair * 2u, min(pair * 2u + 1u, VOCAB - 1u)); }

fn gather_head(layer: u32, chunk: u32) {
  if (chunk == 0u) { best = none(); }
  gather_normed(plan.head_norm, residual_round(layer, 0u) - 1u, false, chunk);
}

fn scale_head() -> f32 { return norm_scale(); }

fn emit_head(layer: u32, pair: u32, index: u32, product: vec2f) {
  let id = pair * 2u;
  best = better(best, Best(product.x, id, 1.0));
  logits[(first_row + row) * STRIDE + id] = product.x;
  if (id + 1u >= VOCAB) { return; }
  best = better(best, Best(product.y, id + 1u, 1.0));
  logits[(first_row + row) * STRIDE + id + 1u] = product.y;
}

fn best_at(lane: u32) -> Best {
  let found = x[lane];
  return Best(found.x, u32(found.y), found.z);
}

fn put_best(mine: Best) { x[lane] = vec4f(mine.value, f32(mine.id), mine.total, 0.0); }

/// The best of those of all lanes of a sequence, for the first of them.
fn best_of_all(mine: Best) -> Best {
  workgroupBarrier();
  put_best(mine);
  workgroupBarrier();
  for (var half = ROW_LANES / 2u; half > 0u; half /= 2u) {
    if (row_lane < half) { put_best(better(best_at(lane), best_at(lane + half))); }
    workgroupBarrier();
  }
  return best_at(lane);
}

/// Until another team has chosen: all of its workgroups then know what `step` was.
fn wait_for_team(other: u32) {
  for (var reads = 0u; reads < plan.most_reads && atomicLoad(&exchange[STUCK]) == 0u; reads++) {
    if (atomicLoad(&exchange[TURNS + other]) == turn) { return; }
  }
}

fn choose(group: u32) {
  let mine = best_of_all(best);
  let at = group * ROWS + row;
  if (row_lane == 0u && row < count) {
    let bits = bitcast<u32>(mine.value);
    publish_bits(CHOICES, at, 0u, bits >> 16u, turn);
    publish_bits(CHOICES, at, 1u, bits & 0xffffu, turn);
    publish_bits(CHOICES, at, 2u, mine.id, turn);
    publish(CHOICES, at * 4u + 3u, mine.total, turn);
  }
  workgroupBarrier();
  if (group != 0u) { return; }
  var found = none();
  let end = select(0u, GROUPS, row < count);
  for (var g = row_lane; g < end; g += ROW_LANES) {
    let vector = g * ROWS + row;
    let words = await_words(CHOICES, vector, turn, peek(CHOICES, vector));
    let value = bitcast<f32>(((words.x >> 8u) << 16u) | (words.y >> 8u));
    found = better(found, Best(value, words.z >> 8u, values_of(words).w));
  }
  let chosen = best_of_all(found);
  if (row_lane == 0u && row < count) {
    let is_stuck = atomicLoad(&exchange[STUCK]) != 0u;
    let id = select(chosen.id, 0xffffffffu, is_stuck);
    sequence[slot_in(now, first_row + row, now.start + 1u)] = Token(id, -log(chosen.total));
  }
  if (lane != 0u) { return; }
  atomicStore(&exchange[TURNS + team], turn);
  if (team != 0u) { return; }
  for (var other = 1u; other < TEAMS; other++) { wait_for_team(other); }
  step = Step(now.start + 1u, now.count, 0u, now.branch_slots, now.branch_start);
}
