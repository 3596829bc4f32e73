// o[t][head] = softmax(q . K) V over the visible positions, 0 where none is visible: prefill on
// software devices. Shapes as in attend.wgsl. A workgroup owns LANES tokens of one head, an
// invocation one token: all lanes read the same key at the same time, and nothing is shared.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> rotation: array<vec4f>;
@group(0) @binding(2) var<storage, read> keys: array<vec4f>;
@group(0) @binding(3) var<storage, read> values: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(5) var<uniform> step: Step;

const LOWEST = -3.0e38;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let first_token = group.y * LANES;
  let token = min(first_token + lane, step.count - 1u);
  let position = step.start + token;
  let range = visible(position);
  let q = rotated_query(token, position, head);
  let offset = head / QUERIES_PER_KV * HEAD4;
  // The union of the lanes' ranges, the same for all of them.
  let begin = visible(step.start + first_token).first;
  let end = visible(step.start + min(first_token + LANES, step.count) - 1u).end;
  var maximum = LOWEST;
  var sum = 0.0;
  var output: array<vec4f, HEAD4>;
  for (var n = begin; n < end; n++) {
    let row = n * (KV_WIDTH / 4u) + offset;
    var score = 0.0;
    for (var i = 0u; i < HEAD4; i++) { score += dot(q[i], keys[row + i]); }
    let seen = n >= range.first && n < range.end;
    let higher = select(maximum, max(maximum, score), seen);
    let keep = exp(maximum - higher);
    let weight = select(0.0, exp(score - higher), seen);
    sum = sum * keep + weight;
    for (var i = 0u; i < HEAD4; i++) { output[i] = output[i] * keep + values[row + i] * weight; }
    maximum = higher;
  }
  if (first_token + lane >= step.count) { return; }
  for (var i = 0u; i < HEAD4; i++) {
    o[token * (O_STRIDE / 4u) + head * HEAD4 + i] = output[i] / max(sum, 1.0e-30);
  }
}
