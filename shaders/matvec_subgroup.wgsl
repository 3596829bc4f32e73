// y[r] = sum_c x[c] * w[r][c], added to y where ADD: decode, for devices with subgroups of any size.
// x: f32 [8 * BLOCKS]; y: f32 [Y_STRIDE], rows [ROW_OFFSET, ROW_OFFSET + ROWS) of w are here.
// A workgroup owns 8 rows, dealt out to its subgroups; the lanes of a subgroup stride over a row's
// blocks of 8 columns, so that neighbours read neighbouring words. No barriers.
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const ROWS_PER_GROUP = 8u;

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  for (var i = subgroup; i < ROWS_PER_GROUP; i += subgroups) {
    let row = group.x * ROWS_PER_GROUP + i;
    if (row >= ROWS) { break; }
    var sum = 0.0;
    for (var block = lane; block < BLOCKS; block += lanes) {
      let w = load8(row, block);
      sum += dot(w[0], x[block * 2u]) + dot(w[1], x[block * 2u + 1u]);
    }
    let total = subgroupAdd(sum);
    if (lane == 0u) {
      let at = ROW_OFFSET + row;
      if (ADD) { y[at] += total; } else { y[at] = total; }
    }
  }
}
