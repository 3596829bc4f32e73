// y[t][r] = sum_c x[t][c] * w[r][c], added to y where ADD: prefill, and decode on software devices.
// x: f32 [T][8 * BLOCKS]; y: f32 [T][Y_STRIDE], rows [ROW_OFFSET, ROW_OFFSET + ROWS) of w are here.
// An invocation owns one row of w for TOKENS tokens: each weight is loaded and unpacked once, and x
// is read at addresses that are the same across the workgroup. No barriers, sums in f32.
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> step: Step;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x * 64u + lane;
  let first = group.y * TOKENS;
  if (row >= ROWS) { return; }
  var sum: array<f32, TOKENS>;
  for (var block = 0u; block < BLOCKS; block++) {
    let w = load8(row, block);
    for (var t = 0u; t < TOKENS; t++) {
      let at = (first + t) * (BLOCKS * 2u) + block * 2u;
      sum[t] += dot(w[0], x[at]) + dot(w[1], x[at + 1u]);
    }
  }
  for (var t = 0u; t < TOKENS && first + t < step.count; t++) {
    let at = (first + t) * Y_STRIDE + ROW_OFFSET + row;
    if (ADD) { y[at] += sum[t]; } else { y[at] = sum[t]; }
  }
}
