// Products of a matrix with many rows of activations, or the few of a batch, on GPUs whose subgroups multiply small
// matrices at once (tensor cores). An input_*.wgsl says what is multiplied, an output_*.wgsl which two rows of the
// matrix make a pair and what becomes of their products.
// A workgroup owns TILE_ROWS rows of w, in pairs, for TILE_TOKENS tokens and walks along the columns in slabs of DEPTH
// blocks of 8, which it brings as f16 into workgroup memory. A subgroup owns OWN_TOKENS by OWN_ROWS of the
// products of MATRIX_M tokens and MATRIX_N rows, MATRIX_K columns at a time. Where a problem has few tiles, PARTS
// subgroups share the columns of every slab. Sums in f32.
@group(0) @binding(8) var<uniform> step: Step;

/// With NORM, the sum of squares of the columns that input8 gave last.
var<private> square: f32;

const TILE_ROWS = ROW_SUBGROUPS * OWN_ROWS * MATRIX_N;
const TILE_TOKENS = TOKEN_SUBGROUPS * OWN_TOKENS * MATRIX_M;
const TILE_SUBGROUPS = ROW_SUBGROUPS * TOKEN_SUBGROUPS;
const SUBGROUPS = TILE_SUBGROUPS * PARTS;
const LANES = SUBGROUPS * SUBGROUP_LANES;
/// Steps of MATRIX_K columns of a slab that a part takes.
const PART_STEPS = DEPTH * 8u / MATRIX_K / PARTS;
const_assert PART_STEPS * PARTS * MATRIX_K == DEPTH * 8u;

alias Tokens = subgroup_matrix_left<f16, MATRIX_K, MATRIX_M>;
alias WeightRows = subgroup_matrix_right<f16, MATRIX_N, MATRIX_K>;
alias Sums = subgroup_matrix_result<f32, MATRIX_N, MATRIX_M>;
const SUMS = MATRIX_M * MATRIX_N;

/// Vectors of 8 columns in f16 from one row of a slab to the next; the odd one spreads rows over memory banks.
const PITCH = DEPTH + 1u;
const X_BEGIN = TILE_ROWS * PITCH;
/// From one matrix of rows, or of tokens, to the next, in columns.
const W_MATRIX = MATRIX_N * PITCH * 8u;
const X_MATRIX = MATRIX_M * PITCH * 8u;
/// The slab: rows of w, then tokens, [PITCH][8] f16 each. At the end, a matrix of sums of each subgroup. Behind that, with
/// NORM, by load of x its sum of squares, then by token the factor of its products. Nothing else is in workgroup
/// memory, where it could put this at an address that is no multiple of 16: a GPU loads matrices from the one before.
const MATRICES = max(16u * PITCH * (TILE_ROWS + TILE_TOKENS), 4u * SUBGROUPS * SUMS);
const SQUARES = MATRICES / 4u;
const FACTORS = SQUARES + X_LOADS;
var<workgroup> memory: buffer<select(MATRICES, 4u * (FACTORS + TILE_TOKENS), NORM)>;

const W_LOADS = TILE_ROWS * DEPTH;
const X_LOADS = TILE_TOKENS * DEPTH;
const W_TURNS = (W_LOADS + LANES - 1u) / LANES;
const X_TURNS = (X_LOADS + LANES - 1u) / LANES;

/// What an invocation has loaded of a slab, and with NORM the sums of squares of its tokens so far.
struct Slab {
  w: array<Fetched, W_TURNS>,
  x: array<mat2x4f, X_TURNS>,
  squares: array<f32, X_TURNS>,
}

/// Loads of w are dealt out from the first invocation on, loads of x from the last one.
fn fetch(slab: ptr<function, Slab>, first_row: u32, first_token: u32, first_block: u32, lane: u32) {
  for (var turn = 0u; turn < W_TURNS; turn++) {
    let load = turn * LANES + lane;
    let block = min(first_block + load % DEPTH, BLOCKS - 1u);
    if (load < W_LOADS) {
      let row = first_row + load / DEPTH;
      (*slab).w[turn] = fetch8(pair_rows(min(row / 2u, PAIR_COUNT - 1u))[row % 2u], block);
    }
  }
  for (var turn = 0u; turn < X_TURNS; turn++) {
    let load = turn * LANES + LANES - 1u - lane;
    let block = first_block + load % DEPTH;
    if (load < X_LOADS) {
      let token = min(first_token + load / DEPTH, step.count - 1u);
      (*slab).x[turn] = input8(token, min(block, BLOCKS - 1u));
      if (NORM && block < BLOCKS) { (*slab).squares[turn] += square; }
    }
  }
}

/// The factor of RMSNorm for each token.
fn find_factors(slab: ptr<function, Slab>, lane: u32) {
  let values = bufferView<array<f32>>(&memory, 0);
  for (var turn = 0u; turn < X_TURNS; turn++) {
    let load = turn * LANES + LANES - 1u - lane;
    if (load < X_LOADS) { values[SQUARES + load] = (*slab).squares[turn]; }
  }
  workgroupBarrier();
  for (var t = lane; t < TILE_TOKENS; t += LANES) {
    var sum = 0.0;
    for (var i = 0u; i < DEPTH; i++) { sum += values[SQUARES + t * DEPTH + i]; }
    values[FACTORS + t] = inverseSqrt(sum / f32(WIDTH) + EPS);
  }
}

/// Eight columns as f16; zeros past the end.
fn packed(eight: mat2x4f, block: u32) -> vec4u {
  let bits = vec4u(
    pack2x16float(eight[0].xy),
    pack2x16float(eight[0].zw),
    pack2x16float(eight[1].xy),
    pack2x16float(eight[1].zw),
  );
  if (BLOCKS % DEPTH == 0u) { return bits; }
  return select(vec4u(0u), bits, block < BLOCKS);
}

/// Activations that f16 can hold.
fn bounded(eight: mat2x4f) -> mat2x4f {
  let most = vec4f(65504.0);
  return mat2x4f(clamp(eight[0], -most, most), clamp(eight[1], -most, most));
}

fn unpack(slab: ptr<function, Slab>, first_block: u32, lane: u32) {
  let vectors = bufferView<array<vec4u>>(&memory, 0);
  for (var turn = 0u; turn < W_TURNS; turn++) {
    let load = turn * LANES + lane;
    let block = load % DEPTH;
    if (load < W_LOADS) {
      vectors[load / DEPTH * PITCH + block] = packed(unfold8((*slab).w[turn]), first_block + block);
    }
  }
  for (var turn = 0u; turn < X_TURNS; turn++) {
    let load = turn * LANES + LANES - 1u - lane;
    let block = load % DEPTH;
    if (load < X_LOADS) {
      vectors[X_BEGIN + load / DEPTH * PITCH + block] = packed(bounded((*slab).x[turn]), first_block + block);
    }
  }
}

/// What becomes of a matrix of sums of each subgroup, its parts added up: of its OWN_ROWS by OWN_TOKENS the one at (i, j).
fn finish(sums: Sums, i: u32, j: u32, first_row: u32, first_token: u32, lane: u32, subgroup: u32) {
  let meeting = bufferView<array<f32>>(&memory, 0);
  subgroupMatrixStore<row_major>(meeting, subgroup * SUMS, sums, MATRIX_N);
  workgroupBarrier();
  for (var e = lane * 2u; e < TILE_SUBGROUPS * SUMS; e += LANES * 2u) {
    var product = vec2f(meeting[e], meeting[e + 1u]);
    for (var p = 1u; p < PARTS; p++) {
      let at = p * TILE_SUBGROUPS * SUMS + e;
      product += vec2f(meeting[at], meeting[at + 1u]);
    }
    let owner = e / SUMS;
    let row = first_row + (owner % ROW_SUBGROUPS * OWN_ROWS + i) * MATRIX_N + e % MATRIX_N;
    let token = (owner / ROW_SUBGROUPS * OWN_TOKENS + j) * MATRIX_M + e % SUMS / MATRIX_N;
    if (NORM) { product *= meeting[FACTORS + token]; }
    if (row / 2u < PAIR_COUNT && first_token + token < step.count) { emit(first_token + token, row / 2u, product); }
  }
  workgroupBarrier();
}

// Lines of one of the subgroup's matrices are there once for each (src/engine/unroll.ts).
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  let halves = bufferView<array<f16>>(&memory, 0);
  let first_row = group.x * TILE_ROWS;
  let first_token = group.y * TILE_TOKENS;
  let first_column = subgroup / TILE_SUBGROUPS * PART_STEPS * MATRIX_K;
  let own_rows = subgroup % ROW_SUBGROUPS * OWN_ROWS * W_MATRIX + first_column;
  let own_tokens = X_BEGIN * 8u + subgroup / ROW_SUBGROUPS % TOKEN_SUBGROUPS * OWN_TOKENS * X_MATRIX + first_column;
  var sums_EACH_ROW_EACH_TOKEN: Sums;
  var slab: Slab;
  fetch(&slab, first_row, first_token, 0u, lane);
  for (var block = 0u; block < BLOCKS; block += DEPTH) {
    unpack(&slab, block, lane);
    workgroupBarrier();
    // The next slab is on its way while this one is multiplied.
    fetch(&slab, first_row, first_token, block + DEPTH, lane);
    for (var column = 0u; column < PART_STEPS * MATRIX_K; column += MATRIX_K) {
      let w_EACH_ROW = subgroupMatrixLoad<WeightRows, col_major>(halves, own_rows + EACH_ROW * W_MATRIX + column, PITCH * 8u);
      let t_EACH_TOKEN = subgroupMatrixLoad<Tokens, row_major>(halves, own_tokens + EACH_TOKEN * X_MATRIX + column, PITCH * 8u);
      sums_EACH_ROW_EACH_TOKEN = subgroupMatrixMultiplyAccumulate(t_EACH_TOKEN, w_EACH_ROW, sums_EACH_ROW_EACH_TOKEN);
    }
    workgroupBarrier();
  }
  if (NORM) { find_factors(&slab, lane); }
  finish(sums_EACH_ROW_EACH_TOKEN, EACH_ROW, EACH_TOKEN, first_row, first_token, lane, subgroup);
}
