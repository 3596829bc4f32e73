// lm_head and the likeliest token, as argmax.wgsl chooses it: the first of equal ones, with the
// logarithm of its probability. Every workgroup publishes its best id, that one's logit in two words as
// ties must be told, and its sum of exp(logit - best); the first one joins them.
var<workgroup> best_values: array<f32, LANES>;
var<workgroup> best_ids: array<u32, LANES>;
var<workgroup> best_totals: array<f32, LANES>;
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

fn gather_head(layer: u32) {
  best = none();
  gather_normed(plan.head_norm, residual_round(layer, 0u) - 1u, false);
}

fn scale_head() -> f32 { return norm_scale(); }

fn finish_head(first: u32, task: u32, sum: vec2f) {
  let id = (first + task) * 2u;
  best = better(best, Best(sum.x, id, 1.0));
  if (id + 1u < VOCAB) { best = better(best, Best(sum.y, id + 1u, 1.0)); }
  if (subgroup_lane == 0u) {
    logits[id] = sum.x;
    if (id + 1u < VOCAB) { logits[id + 1u] = sum.y; }
  }
}

fn emit_head(layer: u32, pair: u32, index: u32) {}

/// The best of those of all lanes, for lane 0.
fn best_of_all(mine: Best) -> Best {
  workgroupBarrier();
  best_values[lane] = mine.value;
  best_ids[lane] = mine.id;
  best_totals[lane] = mine.total;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      let other = lane + half;
      let joined = better(
        Best(best_values[lane], best_ids[lane], best_totals[lane]),
        Best(best_values[other], best_ids[other], best_totals[other]),
      );
      best_values[lane] = joined.value;
      best_ids[lane] = joined.id;
      best_totals[lane] = joined.total;
    }
    workgroupBarrier();
  }
  return Best(best_values[0], best_ids[0], best_totals[0]);
}

fn choose(group: u32) {
  if (subgroup_lane != 0u) { best = none(); }
  let mine = best_of_all(best);
  let at = CHOICES + group * 4u;
  if (lane == 0u) {
    let bits = bitcast<u32>(mine.value);
    atomicStore(&exchange[at], tagged(bits >> 16u, turn));
    atomicStore(&exchange[at + 1u], tagged(bits & 0xffffu, turn));
    atomicStore(&exchange[at + 2u], tagged(mine.id, turn));
    publish(at + 3u, mine.total, turn);
  }
  workgroupBarrier();
  if (group != 0u) { return; }
  var found = none();
  for (var g = lane; g < GROUPS; g += LANES) {
    let words = await4(CHOICES + g * 4u, turn, peek4(CHOICES + g * 4u));
    let value = bitcast<f32>(((words.x >> 8u) << 16u) | (words.y >> 8u));
    found = better(found, Best(value, words.z >> 8u, values_of(words).w));
  }
  let chosen = best_of_all(found);
  if (lane != 0u) { return; }
  let is_stuck = atomicLoad(&exchange[STUCK]) != 0u;
  sequence[position + 1u] = Token(select(chosen.id, 0xffffffffu, is_stuck), -log(chosen.total));
  step = Step(position + 1u, 1u, 0u, step.branch_slots, step.branch_start);
  atomicStore(&exchange[TURN], turn);
}
