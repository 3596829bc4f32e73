// out[t][f] = silu(gate[t][f]) * up[t][f]   (lckv.md section 2)
// gate_up: f32 [T][IN_STRIDE], gate at column 0, up at column WIDTH; out: f32 [T][OUT_STRIDE].
// An invocation owns one value.
@group(0) @binding(0) var<storage, read> gate_up: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> step: Step;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= WIDTH || id.y >= step.count) { return; }
  let gate = gate_up[id.y * IN_STRIDE + id.x];
  let up = gate_up[id.y * IN_STRIDE + WIDTH + id.x];
  out[id.y * OUT_STRIDE + id.x] = gate / (1.0 + exp(-gate)) * up;
}
