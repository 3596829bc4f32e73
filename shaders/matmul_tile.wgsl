// y[t][r] = sum_c x[t][c] * w[r][c], added to y where ADD: many rows on GPUs.
// x: f32 [T][8 * BLOCKS]; y: f32 [T][Y_STRIDE], rows [ROW_OFFSET, ROW_OFFSET + ROWS) of w are here.
// A workgroup owns TILE_ROWS rows of w for TILE_TOKENS tokens and walks along the columns in slabs of
// DEPTH blocks of 8, which it unpacks into workgroup memory; an invocation owns the sums of OWN_ROWS
// rows for OWN_TOKENS tokens. So a vec4 of either, loaded from there, serves at least 16 multiply-adds.
// Where a problem has few tiles, PARTS invocations share the columns of every slab, and their sums
// are added at the end: more of a processor is busy. Sums in f32.
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> step: Step;

const ROW_QUADS = TILE_ROWS / 4u;
const TOKEN_QUADS = TILE_TOKENS / 4u;
const OWN_ROW_QUADS = OWN_ROWS / 4u;
const OWN_TOKEN_QUADS = OWN_TOKENS / 4u;
/// Invocations along either side of the tile.
const ROW_LANES = TILE_ROWS / OWN_ROWS;
const TOKEN_LANES = TILE_TOKENS / OWN_TOKENS;
const TILE_LANES = ROW_LANES * TOKEN_LANES;
const LANES = TILE_LANES * PARTS;
/// Blocks of a slab that a part takes.
const PART_DEPTH = DEPTH / PARTS;
const_assert OWN_ROWS % 4u == 0u && OWN_TOKENS % 4u == 0u;
const_assert TILE_ROWS % OWN_ROWS == 0u && TILE_TOKENS % OWN_TOKENS == 0u && DEPTH % PARTS == 0u;

/// A load is four rows (or tokens) of one block; so many an invocation makes for a slab.
const W_LOADS = ROW_QUADS * DEPTH;
const X_LOADS = TOKEN_QUADS * DEPTH;
const W_TURNS = (W_LOADS + LANES - 1u) / LANES;
const X_TURNS = (X_LOADS + LANES - 1u) / LANES;

// The slab by column: w as [8 * DEPTH][ROW_QUADS] and then x as [8 * DEPTH][TOKEN_QUADS], each a vec4
// of four rows or tokens. At the end, the sums of all parts but the first.
const X_BEGIN = 8u * DEPTH * ROW_QUADS;
const MEETING = (PARTS - 1u) * TILE_LANES;
var<workgroup> tile: array<vec4f, max(8u * DEPTH * (ROW_QUADS + TOKEN_QUADS), 4u * MEETING)>;

// Blocks are written next to one another, 8 columns apart, which would be the same memory banks: so
// each block has its quads in another order, quad ^ swizzle, within runs of a power of two.
const W_RUN = ROW_QUADS & (~ROW_QUADS + 1u);
const X_RUN = TOKEN_QUADS & (~TOKEN_QUADS + 1u);
fn swizzle(block: u32, run: u32) -> u32 { return (block * max(1u, 8u / DEPTH)) & (run - 1u); }

/// What an invocation has loaded of a slab, as it was in memory.
struct Slab {
  w: array<array<Raw8, 4>, W_TURNS>,
  x: array<array<mat2x4f, 4>, X_TURNS>,
}

fn w_row(first: u32, load: u32, i: u32) -> u32 {
  return min(first + load / DEPTH * 4u + i, ROWS - 1u);
}

/// Loads of w are dealt out from the first invocation on, loads of x from the last one.
fn fetch(slab: ptr<function, Slab>, first_row: u32, first_token: u32, first_block: u32, lane: u32) {
  for (var turn = 0u; turn < W_TURNS; turn++) {
    let load = turn * LANES + lane;
    let block = min(first_block + load % DEPTH, BLOCKS - 1u);
    if (load < W_LOADS) {
      for (var i = 0u; i < 4u; i++) {
        (*slab).w[turn][i] = fetch8(w_row(first_row, load, i), block);
      }
    }
  }
  for (var turn = 0u; turn < X_TURNS; turn++) {
    let load = turn * LANES + LANES - 1u - lane;
    let block = min(first_block + load % DEPTH, BLOCKS - 1u);
    if (load < X_LOADS) {
      for (var i = 0u; i < 4u; i++) {
        let token = min(first_token + load / DEPTH * 4u + i, step.count - 1u);
        let at = (token * BLOCKS + block) * 2u;
        (*slab).x[turn][i] = mat2x4f(x[at], x[at + 1u]);
      }
    }
  }
}

/// Writes 8 columns of four rows, turned round, `pitch` apart; zeros where they are past the end.
fn put(at: u32, pitch: u32, rows: array<mat2x4f, 4>, inside: bool) {
  var low = transpose(mat4x4f(rows[0][0], rows[1][0], rows[2][0], rows[3][0]));
  var high = transpose(mat4x4f(rows[0][1], rows[1][1], rows[2][1], rows[3][1]));
  if (BLOCKS % DEPTH > 0u && !inside) {
    low = mat4x4f();
    high = mat4x4f();
  }
  tile[at] = low[0];
  tile[at + pitch] = low[1];
  tile[at + pitch * 2u] = low[2];
  tile[at + pitch * 3u] = low[3];
  tile[at + pitch * 4u] = high[0];
  tile[at + pitch * 5u] = high[1];
  tile[at + pitch * 6u] = high[2];
  tile[at + pitch * 7u] = high[3];
}

fn unpack(slab: ptr<function, Slab>, first_row: u32, first_block: u32, lane: u32) {
  for (var turn = 0u; turn < W_TURNS; turn++) {
    let load = turn * LANES + lane;
    let block = load % DEPTH;
    if (load < W_LOADS) {
      let global_block = min(first_block + block, BLOCKS - 1u);
      var rows: array<mat2x4f, 4>;
      for (var i = 0u; i < 4u; i++) {
        rows[i] = unpack8((*slab).w[turn][i], w_row(first_row, load, i), global_block);
      }
      let at = block * 8u * ROW_QUADS + ((load / DEPTH) ^ swizzle(block, W_RUN));
      put(at, ROW_QUADS, rows, first_block + block < BLOCKS);
    }
  }
  for (var turn = 0u; turn < X_TURNS; turn++) {
    let load = turn * LANES + LANES - 1u - lane;
    let block = load % DEPTH;
    if (load < X_LOADS) {
      let at = X_BEGIN + block * 8u * TOKEN_QUADS + ((load / DEPTH) ^ swizzle(block, X_RUN));
      put(at, TOKEN_QUADS, (*slab).x[turn], first_block + block < BLOCKS);
    }
  }
}

/// By four tokens and four rows: a column for each token.
alias Sums = array<array<mat4x4f, OWN_ROW_QUADS>, OWN_TOKEN_QUADS>;

fn multiply(sums: ptr<function, Sums>, part: u32, row_lane: u32, token_lane: u32) {
  for (var block = part * PART_DEPTH; block < (part + 1u) * PART_DEPTH; block++) {
    let w_turn = swizzle(block, W_RUN);
    let x_turn = swizzle(block, X_RUN);
    for (var column = block * 8u; column < block * 8u + 8u; column++) {
      var w: array<vec4f, OWN_ROW_QUADS>;
      for (var i = 0u; i < OWN_ROW_QUADS; i++) {
        w[i] = tile[column * ROW_QUADS + ((row_lane + i * ROW_LANES) ^ w_turn)];
      }
      for (var j = 0u; j < OWN_TOKEN_QUADS; j++) {
        let at = X_BEGIN + column * TOKEN_QUADS;
        let v = tile[at + ((token_lane + j * TOKEN_LANES) ^ x_turn)];
        for (var i = 0u; i < OWN_ROW_QUADS; i++) {
          (*sums)[j][i] += mat4x4f(w[i] * v.x, w[i] * v.y, w[i] * v.z, w[i] * v.w);
        }
      }
    }
  }
}

/// The first part gets the sums of all.
fn meet(sums: ptr<function, Sums>, part: u32, lane: u32) {
  for (var j = 0u; j < OWN_TOKEN_QUADS; j++) {
    for (var i = 0u; i < OWN_ROW_QUADS; i++) {
      if (part > 0u) {
        let at = (part - 1u) * TILE_LANES + lane;
        for (var c = 0u; c < 4u; c++) { tile[c * MEETING + at] = (*sums)[j][i][c]; }
      }
      workgroupBarrier();
      if (part == 0u) {
        for (var at = lane; at < MEETING; at += TILE_LANES) {
          (*sums)[j][i] += mat4x4f(
            tile[at], tile[MEETING + at], tile[MEETING * 2u + at], tile[MEETING * 3u + at],
          );
        }
      }
      workgroupBarrier();
    }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_row = group.x * TILE_ROWS;
  let first_token = group.y * TILE_TOKENS;
  let part = lane / TILE_LANES;
  let lane_of_tile = lane % TILE_LANES;
  let row_lane = lane_of_tile % ROW_LANES;
  let token_lane = lane_of_tile / ROW_LANES;
  var sums: Sums;
  var slab: Slab;
  if (PREFETCH) { fetch(&slab, first_row, first_token, 0u, lane); }
  for (var block = 0u; block < BLOCKS; block += DEPTH) {
    if (!PREFETCH) { fetch(&slab, first_row, first_token, block, lane); }
    unpack(&slab, first_row, block, lane);
    workgroupBarrier();
    // The next slab is on its way while this one is multiplied.
    if (PREFETCH) { fetch(&slab, first_row, first_token, block + DEPTH, lane); }
    multiply(&sums, part, row_lane, token_lane);
    workgroupBarrier();
  }
  if (PARTS > 1u) {
    meet(&sums, part, lane_of_tile);
    if (part > 0u) { return; }
  }
  for (var j = 0u; j < OWN_TOKEN_QUADS; j++) {
    for (var i = 0u; i < OWN_ROW_QUADS; i++) {
      let r = first_row + (row_lane + i * ROW_LANES) * 4u;
      let t = first_token + (token_lane + j * TOKEN_LANES) * 4u;
      for (var c = 0u; c < 4u; c++) {
        for (var k = 0u; k < 4u; k++) {
          if (r + k < ROWS && t + c < step.count) {
            let at = (t + c) * Y_STRIDE + ROW_OFFSET + r + k;
            if (ADD) { y[at] += sums[j][i][c][k]; } else { y[at] = sums[j][i][c][k]; }
          }
        }
      }
    }
  }
}
