// chosen[0] = the index of the largest logit, the lowest one where several are equal.
// logits: f32 [VOCAB]. One workgroup.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> chosen: array<u32>;

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
  workgroupBarrier();
  if (lane != 0u) { return; }
  for (var i = 1u; i < LANES; i++) {
    let better = best_value[i] > value || (best_value[i] == value && best_index[i] < index);
    if (better) {
      value = best_value[i];
      index = best_index[i];
    }
  }
  chosen[0] = index;
}
