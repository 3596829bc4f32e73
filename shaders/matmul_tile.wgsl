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

/// A load is four rows of one block of w, or four tokens of half a block of x; so many an invocation
/// makes for a slab.
const W_LOADS = ROW_QUADS * DEPTH;
const X_DEPTH = DEPTH * 2u;
const X_LOADS = TOKEN_QUADS * X_DEPTH;
const W_TURNS = (W_LOADS + LANES - 1u) / LANES;
const X_TURNS = (X_LOADS + LANES - 1u) / LANES;

// The slab by column: w as [8 * DEPTH][ROW_QUADS] and then x as [8 * DEPTH][TOKEN_QUADS], each a vec4
// of four rows or tokens. At the end, the sums of all parts but the first.
const X_BEGIN = 8u * DEPTH * ROW_QUADS;
const MEETING = (PARTS - 1u) * TILE_LANES;
var<workgroup> tile: array<vec4f, max(8u * DEPTH * (ROW_QUADS + TOKEN_QUADS), 4u * MEETING)>;

// Neighbours write the same quad of neighbouring blocks, whose columns would be in the same memory
// banks: so each block has its quads in another order, quad ^ turn, within runs of a power of two.
const W_RUN = ROW_QUADS & (~ROW_QUADS + 1u);
const X_RUN = TOKEN_QUADS & (~TOKEN_QUADS + 1u);
fn w_turn(block: u32) -> u32 { return (block * max(1u, 8u / DEPTH)) & (W_RUN - 1u); }
fn x_turn(half_block: u32) -> u32 { return (half_block * max(1u, 8u / X_DEPTH)) & (X_RUN - 1u); }

/// What an invocation has loaded of a slab, as it was in memory.
struct Slab {
  w: array<array<Fetched, 4>, W_TURNS>,
  x: array<mat4x4f, X_TURNS>,
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
    if (load < X_LOADS) {
      let column = min(first_block * 2u + load % X_DEPTH, BLOCKS * 2u - 1u);
      let token = first_token + load / X_DEPTH * 4u;
      let last = step.count - 1u;
      (*slab).x[turn] = mat4x4f(
        x[min(token, last) * BLOCKS * 2u + column],
        x[min(token + 1u, last) * BLOCKS * 2u + column],
        x[min(token + 2u, last) * BLOCKS * 2u + column],
        x[min(token + 3u, last) * BLOCKS * 2u + column],
      );
    }
  }
}

/// Writes 4 columns of four rows (or tokens), turned round, `pitch` apart; zeros past the end.
fn put(at: u32, pitch: u32, rows: mat4x4f, inside: bool) {
  var columns = transpose(rows);
  if (BLOCKS % DEPTH > 0u && !inside) { columns = mat4x4f(); }
  tile[at] = columns[0];
  tile[at + pitch] = columns[1];
  tile[at + pitch * 2u] = columns[2];
  tile[at + pitch * 3u] = columns[3];
}

fn unpack(slab: ptr<function, Slab>, first_row: u32, first_block: u32, lane: u32) {
  for (var turn = 0u; turn < W_TURNS; turn++) {
    let load = turn * LANES + lane;
    let block = load % DEPTH;
    if (load < W_LOADS) {
      var rows: array<mat2x4f, 4>;
      for (var i = 0u; i < 4u; i++) {
        rows[i] = unfold8((*slab).w[turn][i]);
      }
      let at = block * 8u * ROW_QUADS + ((load / DEPTH) ^ w_turn(block));
      let inside = first_block + block < BLOCKS;
      let low = mat4x4f(rows[0][0], rows[1][0], rows[2][0], rows[3][0]);
      let high = mat4x4f(rows[0][1], rows[1][1], rows[2][1], rows[3][1]);
      put(at, ROW_QUADS, low, inside);
      put(at + 4u * ROW_QUADS, ROW_QUADS, high, inside);
    }
  }
  for (var turn = 0u; turn < X_TURNS; turn++) {
    let load = turn * LANES + LANES - 1u - lane;
    let half_block = load % X_DEPTH;
    if (load < X_LOADS) {
      let at = X_BEGIN + half_block * 4u * TOKEN_QUADS + ((load / X_DEPTH) ^ x_turn(half_block));
      put(at, TOKEN_QUADS, (*slab).x[turn], first_block + half_block / 2u < BLOCKS);
    }
  }
}

/// By four tokens and four rows: a column for each token.
alias Sums = array<array<mat4x4f, OWN_ROW_QUADS>, OWN_TOKEN_QUADS>;

fn multiply(sums: ptr<function, Sums>, part: u32, row_lane: u32, token_lane: u32) {
  let end = (part + 1u) * PART_DEPTH * 2u;
  for (var half_block = part * PART_DEPTH * 2u; half_block < end; half_block++) {
    let w_order = w_turn(half_block / 2u);
    let x_order = x_turn(half_block);
    for (var column = half_block * 4u; column < half_block * 4u + 4u; column++) {
      var w: array<vec4f, OWN_ROW_QUADS>;
      for (var i = 0u; i < OWN_ROW_QUADS; i++) {
        w[i] = tile[column * ROW_QUADS + ((row_lane + i * ROW_LANES) ^ w_order)];
      }
      for (var j = 0u; j < OWN_TOKEN_QUADS; j++) {
        let at = X_BEGIN + column * TOKEN_QUADS;
        let v = tile[at + ((token_lane + j * TOKEN_LANES) ^ x_order)];
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
