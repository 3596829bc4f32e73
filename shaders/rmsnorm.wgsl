// x[t] = h[t] / sqrt(mean(h[t]^2) + EPS) * weight   (lckv.md section 2)
// h, x: f32 [T][STRIDE], of which the first WIDTH columns count; weight: f32 [STRIDE], 0 in the pad.
// A workgroup owns one token. With ONE_ROW it reads row step.logit_row and writes row 0.
@group(0) @binding(0) var<storage, read> h: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(3) var<uniform> step: Step;

const LANES = 64u;
const ROW4 = STRIDE / 4u;
var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var source = group.x * ROW4;
  if (ONE_ROW) { source = step.logit_row * ROW4; }
  var sum = 0.0;
  for (var i = lane; i < ROW4; i += LANES) {
    let value = h[source + i];
    sum += dot(value, value);
  }
  partial[lane] = sum;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < LANES; i++) { total += partial[i]; }
  let scale = inverseSqrt(total / f32(WIDTH) + EPS);
  for (var i = lane; i < ROW4; i += LANES) {
    x[group.x * ROW4 + i] = h[source + i] * scale * weight[i];
  }
}
