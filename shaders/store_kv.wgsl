// Writes the new tokens' keys (rotated, RoPE with half rotation) and values into the cache, and
// tells how much they differ from what the previous pass had put there.
// qkv: f32 [T][QKV_STRIDE], keys at column K_COLUMN, values at V_COLUMN; keys, values: f32
// [slots][KV_WIDTH]; rotation: f32 [positions][HEAD_DIM / 2] of (cos, sin);
// change: f32 [T] of (sum of squared differences, sum of squares). A workgroup owns one token.
@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> rotation: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> keys: array<f32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> change: array<vec2f>;
@group(0) @binding(5) var<uniform> step: Step;

const LANES = 64u;
const HALF = HEAD_DIM / 2u;
var<workgroup> partial: array<vec2f, LANES>;

fn compare(before: f32, after: f32) -> vec2f {
  let difference = after - before;
  return vec2f(difference * difference, after * after);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let position = position_of(token);
  let target_row = slot(token, position);
  let source = token * QKV_STRIDE;
  var sum = vec2f(0.0);
  for (var pair = lane; pair < KV_WIDTH / 2u; pair += LANES) {
    let column = pair / HALF * HEAD_DIM + pair % HALF;
    let at = target_row * KV_WIDTH + column;
    let turn = rotation[position * HALF + pair % HALF];
    let a = qkv[source + K_COLUMN + column];
    let b = qkv[source + K_COLUMN + column + HALF];
    let low = a * turn.x - b * turn.y;
    let high = b * turn.x + a * turn.y;
    sum += compare(keys[at], low) + compare(keys[at + HALF], high);
    keys[at] = low;
    keys[at + HALF] = high;
    let v0 = qkv[source + V_COLUMN + column];
    let v1 = qkv[source + V_COLUMN + column + HALF];
    sum += compare(values[at], v0) + compare(values[at + HALF], v1);
    values[at] = v0;
    values[at + HALF] = v1;
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane != 0u) { return; }
  var total = vec2f(0.0);
  for (var i = 0u; i < LANES; i++) { total += partial[i]; }
  change[token] = total;
}
