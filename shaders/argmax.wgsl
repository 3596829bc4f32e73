// The next token of a row is its largest logit's index, the lowest one where several are equal. It
// joins the sequence after the row's branch with the logarithm of its probability, and the step
// becomes that of a pass for this token, so that passes can follow one another without the CPU; with
// ALL_ROWS, advance.wgsl does that.
// logits: f32 [rows][STRIDE]; sequence: Token [slots]. A workgroup owns a row.
@group(0) @binding(0) var<storage, read> logits: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> sequence: array<Token>;
@group(0) @binding(2) var<storage, read_write> step: Step;

var<workgroup> best_value: array<f32, LANES>;
var<workgroup> best_index: array<u32, LANES>;
// Sums of exp(logit - best_value).
var<workgroup> totals: array<f32, LANES>;

fn is_better(a: u32, b: u32) -> bool {
  let equal = best_value[a] == best_value[b];
  return best_value[a] > best_value[b] || (equal && best_index[a] < best_index[b]);
}

fn joined_total(a: u32, b: u32) -> f32 {
  let most = max(best_value[a], best_value[b]);
  return totals[a] * exp(best_value[a] - most) + totals[b] * exp(best_value[b] - most);
}

fn largest(row: u32, lane: u32) -> Token {
  var value = -3.4e38;
  var index = 0u;
  var total = 0.0;
  for (var i = lane; i < STRIDE / 4u; i += LANES) {
    let four = logits[row * (STRIDE / 4u) + i];
    for (var j = 0u; j < 4u; j++) {
      if (i * 4u + j >= VOCAB) { continue; }
      if (four[j] > value) {
        total *= exp(value - four[j]);
        value = four[j];
        index = i * 4u + j;
      }
      total += exp(four[j] - value);
    }
  }
  best_value[lane] = value;
  best_index[lane] = index;
  totals[lane] = total;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    let other = lane + half;
    if (lane < half) {
      totals[lane] = joined_total(lane, other);
      if (is_better(other, lane)) {
        best_value[lane] = best_value[other];
        best_index[lane] = best_index[other];
      }
    }
    workgroupBarrier();
  }
  return Token(best_index[0], -log(totals[0]));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = largest(group.x, lane);
  if (lane != 0u) { return; }
  let next = end_position();
  sequence[slot(group.x, next)] = token;
  if (!ALL_ROWS) { step = Step(next, 1u, 0u, step.branch_slots, step.branch_start); }
}
