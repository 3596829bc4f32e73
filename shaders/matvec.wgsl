// y[r] = sum_c x[c] * w[r][c], added to y where ADD: decode, for devices without subgroups.
// x: f32 [8 * BLOCKS]; y: f32 [Y_STRIDE], rows [ROW_OFFSET, ROW_OFFSET + ROWS) of w are here.
// A workgroup owns 8 rows, 8 neighbouring lanes each: every lane strides over the row's blocks of
// 8 columns, then the partial sums meet in workgroup memory.
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const ROWS_PER_GROUP = 8u;
const LANES_PER_ROW = 8u;
var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = min(group.x * ROWS_PER_GROUP + lane / LANES_PER_ROW, ROWS - 1u);
  var sum = 0.0;
  for (var block = lane % LANES_PER_ROW; block < BLOCKS; block += LANES_PER_ROW) {
    let w = load8(row, block);
    sum += dot(w[0], x[block * 2u]) + dot(w[1], x[block * 2u + 1u]);
  }
  partial[lane] = sum;
  workgroupBarrier();
  let mine = group.x * ROWS_PER_GROUP + lane;
  if (lane >= ROWS_PER_GROUP || mine >= ROWS) { return; }
  var total = 0.0;
  for (var i = 0u; i < LANES_PER_ROW; i++) { total += partial[lane * LANES_PER_ROW + i]; }
  let at = ROW_OFFSET + mine;
  if (ADD) { y[at] += total; } else { y[at] = total; }
}
