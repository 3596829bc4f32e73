// o[t][head] = softmax(q . K) V over the visible positions, 0 where none is visible.
// qkv: f32 [T][QKV_STRIDE]; keys, values: f32 [positions][KV_WIDTH]; o: f32 [T][O_STRIDE].
// A workgroup owns one token and head; each lane keeps an online softmax (maximum, sum, output)
// over every LANES-th position, and the lanes merge at the end. Query head a reads kv head
// a / QUERIES_PER_KV (grouped heads).
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> rotation: array<vec4f>;
@group(0) @binding(2) var<storage, read> keys: array<vec4f>;
@group(0) @binding(3) var<storage, read> values: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(5) var<uniform> step: Step;

const LOWEST = -3.0e38;
var<workgroup> lane_maximum: array<f32, LANES>;
var<workgroup> lane_sum: array<f32, LANES>;
var<workgroup> lane_output: array<vec4f, LANES * HEAD4>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let token = group.y;
  let position = step.start + token;
  let range = visible(position);
  let q = rotated_query(token, position, head);
  let offset = head / QUERIES_PER_KV * HEAD4;
  var maximum = LOWEST;
  var sum = 0.0;
  var output: array<vec4f, HEAD4>;
  for (var n = range.first + lane; n < range.end; n += LANES) {
    let row = n * (KV_WIDTH / 4u) + offset;
    var score = 0.0;
    for (var i = 0u; i < HEAD4; i++) { score += dot(q[i], keys[row + i]); }
    let higher = max(maximum, score);
    let keep = exp(maximum - higher);
    let weight = exp(score - higher);
    sum = sum * keep + weight;
    for (var i = 0u; i < HEAD4; i++) { output[i] = output[i] * keep + values[row + i] * weight; }
    maximum = higher;
  }
  lane_maximum[lane] = maximum;
  lane_sum[lane] = sum;
  for (var i = 0u; i < HEAD4; i++) { lane_output[i * LANES + lane] = output[i]; }
  workgroupBarrier();

  var top = LOWEST;
  for (var i = 0u; i < LANES; i++) { top = max(top, lane_maximum[i]); }
  for (var column = lane; column < HEAD4; column += LANES) {
    var total = 0.0;
    var merged = vec4f(0.0);
    for (var i = 0u; i < LANES; i++) {
      let share = exp(lane_maximum[i] - top);
      total += lane_sum[i] * share;
      merged += lane_output[column * LANES + i] * share;
    }
    // A range without positions leaves total = 0: the output is the zero vector.
    o[token * (O_STRIDE / 4u) + head * HEAD4 + column] = merged / max(total, 1.0e-30);
  }
}
