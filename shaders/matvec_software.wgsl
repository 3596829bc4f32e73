// As matvec_subgroup.wgsl, where the GPU is a CPU, and for many rows of x too: an invocation owns a
// pair of rows of the matrix for TOKENS rows of x.
// Eight lanes load as many columns of x together and hand them round by broadcast, as loads are what
// costs there. Needs subgroups of at least 8. No barriers; sums in f32.
// x: f32 [T][8 * BLOCKS].
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(8) var<uniform> step: Step;

/// Blocks of 8 columns with one scale.
const GROUP = 4u;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let pair = group.x * LANES + lane;
  // Every lane takes part in the broadcasts, also past the last pair.
  let rows = pair_rows(min(pair, PAIR_COUNT - 1u));
  let first = group.y * TOKENS;
  var sum: array<vec2f, TOKENS>;
  for (var block = 0u; block < BLOCKS; block += GROUP) {
    var part: array<vec2f, TOKENS>;
    // Said outright: Dawn zeroes a variable of a loop only once.
    for (var t = 0u; t < TOKENS; t++) { part[t] = vec2f(0.0); }
    for (var k = block; k < min(block + GROUP, BLOCKS); k++) {
      let a = load8_unscaled(rows.x, k);
      let b = load8_unscaled(rows.y, k);
      for (var t = 0u; t < TOKENS; t++) {
        let v = x[(first + t) * (BLOCKS * 8u) + k * 8u + subgroup_lane % 8u];
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
        part[t] += vec2f(
          dot(a[0], low) + dot(a[1], high),
          dot(b[0], low) + dot(b[1], high),
        );
      }
    }
    let scale = vec2f(scale_of(rows.x, block), scale_of(rows.y, block));
    for (var t = 0u; t < TOKENS; t++) { sum[t] += part[t] * scale; }
  }
  if (pair >= PAIR_COUNT) { return; }
  for (var t = 0u; t < TOKENS && first + t < step.count; t++) { emit(first + t, pair, sum[t]); }
}
