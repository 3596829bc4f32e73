// The next token is the largest logit's index, the lowest one where several are equal. It joins the
// sequence after the new tokens, and the step becomes that of a pass for it alone, so that passes
// can follow one another without the CPU.
// logits: f32 [VOCAB]; sequence: u32 [positions] of token ids. One workgroup.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> sequence: array<u32>;
@group(0) @binding(2) var<storage, read_write> step: Step;

const LANES = 256u;
var<workgroup> best_value: array<f32, LANES>;
var<workgroup> best_index: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var value = -3.4e38;
  var index = VOCAB;
  for (var i = lane; i < VOCAB; i += LANES) {
    if (logits[i] > value) {
      value = logits[i];
      index = i;
    }
  }
  best_value[lane] = value;
  best_index[lane] = index;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      let other = best_value[lane + half];
      let other_index = best_index[lane + half];
      if (other > value || (other == value && other_index < index)) {
        value = other;
        index = other_index;
        best_value[lane] = value;
        best_index[lane] = index;
      }
    }
  }
  if (lane != 0u) { return; }
  let next = step.start + step.count;
  sequence[next] = index;
  step = Step(next, 1u, 0u);
}
