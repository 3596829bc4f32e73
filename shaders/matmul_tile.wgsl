// y[t][r] = sum_c x[t][c] * w[r][c], added to y where ADD: prefill on GPUs.
// x: f32 [T][8 * BLOCKS]; y: f32 [T][Y_STRIDE], rows [ROW_OFFSET, ROW_OFFSET + ROWS) of w are here.
// A workgroup owns TILE rows of w for TILE tokens and walks along the columns, 32 at a time, which
// it unpacks into workgroup memory once; an invocation owns 4 rows for 4 tokens. Sums in f32.
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> step: Step;

const LANES = 64u;
/// Invocations along either side of the tile.
const SIDE = 8u;
/// Blocks of 8 columns at a time.
const DEPTH = 4u;
/// Vectors from one row to the next: one more than a row has, so that 8 rows lie in different banks.
const PITCH = DEPTH * 2u + 1u;
var<workgroup> w_tile: array<vec4f, TILE * PITCH>;
var<workgroup> x_tile: array<vec4f, TILE * PITCH>;

fn load_tiles(first_row: u32, first_token: u32, first_block: u32, lane: u32) {
  for (var i = lane; i < TILE * DEPTH; i += LANES) {
    let block = first_block + i % DEPTH;
    let at = i / DEPTH * PITCH + i % DEPTH * 2u;
    var w = mat2x4f();
    var v = mat2x4f();
    if (block < BLOCKS) {
      w = load8(min(first_row + i / DEPTH, ROWS - 1u), block);
      let source = (min(first_token + i / DEPTH, step.count - 1u) * BLOCKS + block) * 2u;
      v = mat2x4f(x[source], x[source + 1u]);
    }
    w_tile[at] = w[0];
    w_tile[at + 1u] = w[1];
    x_tile[at] = v[0];
    x_tile[at + 1u] = v[1];
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_row = group.x * TILE;
  let first_token = group.y * TILE;
  let row = lane % SIDE;
  let token = lane / SIDE;
  // By row: the sums for four tokens.
  var sum: array<vec4f, 4>;
  for (var block = 0u; block < BLOCKS; block += DEPTH) {
    load_tiles(first_row, first_token, block, lane);
    workgroupBarrier();
    for (var k = 0u; k < DEPTH * 2u; k++) {
      let a = x_tile[token * PITCH + k];
      let b = x_tile[(token + SIDE) * PITCH + k];
      let c = x_tile[(token + SIDE * 2u) * PITCH + k];
      let d = x_tile[(token + SIDE * 3u) * PITCH + k];
      for (var i = 0u; i < 4u; i++) {
        let w = w_tile[(row + SIDE * i) * PITCH + k];
        sum[i] += vec4f(dot(w, a), dot(w, b), dot(w, c), dot(w, d));
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let r = first_row + row + SIDE * i;
    for (var j = 0u; j < 4u; j++) {
      let t = first_token + token + SIDE * j;
      if (r < ROWS && t < step.count) {
        let at = t * Y_STRIDE + ROW_OFFSET + r;
        if (ADD) { y[at] += sum[i][j]; } else { y[at] = sum[i][j]; }
      }
    }
  }
}
