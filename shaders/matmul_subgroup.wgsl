// As matmul.wgsl, for devices with subgroups of at least 8: eight lanes load a token's 8 columns of
// x together and hand them round by broadcast, so that no lane loads what another has.
// x: f32 [T][8 * BLOCKS]; y: f32 [T][Y_STRIDE], rows [ROW_OFFSET, ROW_OFFSET + ROWS) of w are here.
// An invocation owns one row of w for TOKENS tokens. No barriers, sums in f32.
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> step: Step;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let mine = group.x * 64u + lane;
  // Every lane takes part in the broadcasts, also past the last row.
  let row = min(mine, ROWS - 1u);
  let first = group.y * TOKENS;
  var sum: array<f32, TOKENS>;
  for (var block = 0u; block < BLOCKS; block++) {
    let w = load8(row, block);
    for (var t = 0u; t < TOKENS; t++) {
      let v = x[(first + t) * (BLOCKS * 8u) + block * 8u + subgroup_lane % 8u];
      let low = vec4f(
        subgroupBroadcast(v, 0u),
        subgroupBroadcast(v, 1u),
        subgroupBroadcast(v, 2u),
        subgroupBroadcast(v, 3u),
      );
      let high = vec4f(
        subgroupBroadcast(v, 4u),
        subgroupBroadcast(v, 5u),
        subgroupBroadcast(v, 6u),
        subgroupBroadcast(v, 7u),
      );
      sum[t] += dot(w[0], low) + dot(w[1], high);
    }
  }
  if (mine >= ROWS) { return; }
  for (var t = 0u; t < TOKENS && first + t < step.count; t++) {
    let at = (first + t) * Y_STRIDE + ROW_OFFSET + mine;
    if (ADD) { y[at] += sum[t]; } else { y[at] = sum[t]; }
  }
}
