// The products of a layer: what they multiply, which two rows of the matrix make a pair, and what
// becomes of their products. Rounds: the residual stream changes twice a layer, all else once. Regions of the
// exchange hold what is named [ROWS][...], a row after the other. Lines with EACH_OF_WIDTH or EACH_OF_MLP are there once
// for each vector of four that a lane reads of a row (src/engine/unroll.ts).

/// The residual stream where this workgroup makes it, a pair of columns each.
var<workgroup> residual: array<vec2f, ROWS * RESIDUAL_PAIRS>;
/// Of what this lane gathered of the residual stream.
var<private> squares: f32;

fn round_of(layer: u32) -> u32 { return turn * LAYERS + layer; }

/// Half 0: after attention; 1: after the layer.
fn residual_round(layer: u32, half: u32) -> u32 { return 2u * round_of(layer) + half; }

fn embedding_block(block: u32) -> mat2x4f {
  let id = sequence[slot_in(now, first_row + row, now.start)].id;
  let at = min(id, VOCAB - 1u) * (WIDTH / 8u) + block;
  return unpack8(table8(plan.embedding.x + at)) * table_scale8(plan.embedding.y + at / 4u);
}

/// Four columns of the residual stream of a round; `read_already`: what was read of them in the exchange.
fn residual4(vector: u32, round: u32, is_embedding: bool, read_already: vec4u) -> vec4f {
  if (!is_embedding) { return await_values(RESIDUAL, row * WIDTH4 + vector, round, read_already); }
  let eight = embedding_block(vector / 2u);
  return select(eight[0], eight[1], vector % 2u == 1u);
}

fn begin_residual(first: u32) {
  let share = share_of(WIDTH / 2u);
  let end = select(0u, share.count, row < count);
  for (var i = row_lane; i < end; i += ROW_LANES) {
    let pair = share.first + i;
    let vector = pair / 2u;
    let read_already = peek(RESIDUAL, row * WIDTH4 + vector);
    let four = residual4(vector, residual_round(first, 0u) - 1u, first == 0u, read_already);
    residual[row * RESIDUAL_PAIRS + i] = select(four.xy, four.zw, pair % 2u == 1u);
  }
}

/// Four of a norm's weights, f32 among the words that scales lie in.
fn norm4(at: u32) -> vec4f {
  return bitcast<vec4f>(vec4u(scales[at], scales[at + 1u], scales[at + 2u], scales[at + 3u]));
}

/// A vector of the residual stream: what was read of it already, and the norm's weights.
struct Found { vector: u32, words: vec4u, weight: vec4f }

/// x = that vector times the weights; x begins with vector `first`.
fn put_normed(found: Found, first: u32, round: u32, is_embedding: bool) {
  let value = residual4(found.vector, round, is_embedding, found.words);
  squares += dot(value, value);
  x[x_at(row, found.vector - first)] = value * found.weight;
}

/// x = a chunk of the residual stream times a norm's weights; at the end the sum of all squares to `meeting`.
fn gather_normed(norm: u32, round: u32, is_embedding: bool, chunk: u32) {
  if (row >= count) { return; }
  let first = chunk * CHUNK_qkv * 2u; // as CHUNK_gated and CHUNK_head
  let end = min(first + CHUNK_qkv * 2u, WIDTH4);
  let vector_EACH_OF_WIDTH = first + EACH_OF_WIDTH * ROW_LANES + row_lane;
  let weight_EACH_OF_WIDTH = norm4(norm + min(vector_EACH_OF_WIDTH, end - 1u) * 4u);
  let words_EACH_OF_WIDTH = peek(RESIDUAL, row * WIDTH4 + min(vector_EACH_OF_WIDTH, end - 1u));
  if (chunk == 0u) { squares = 0.0; }
  let found_EACH_OF_WIDTH = Found(vector_EACH_OF_WIDTH, words_EACH_OF_WIDTH, weight_EACH_OF_WIDTH);
  if (vector_EACH_OF_WIDTH < end) { put_normed(found_EACH_OF_WIDTH, first, round, is_embedding); }
  if (end < WIDTH4) { return; }
  let sum = subgroupAdd(squares);
  if (subgroup_lane == 0u) { meeting[my_subgroup] = sum; }
}
fn add_residual(pair: u32, index: u32, product: vec2f, round: u32) {
  let at = row * RESIDUAL_PAIRS + index;
  let sum = residual[at] + product;
  residual[at] = sum;
  let column = row * WIDTH + pair * 2u;
  publish(RESIDUAL, column, sum.x, round);
  publish(RESIDUAL, column + 1u, sum.y, round);
}

// Queries, rotated (RoPE with half rotation) and scaled; keys, rotated, and values.
fn raw_qkv(at: u32) -> Raw { return raw8(at); }
fn scale_of_qkv(at: u32) -> f32 { return scale8(at); }
fn place_qkv(layer: u32) -> Place { return plan.layers[layer].qkv; }

fn pairs_qkv(layer: u32) -> u32 {
  return HEADS * HALF + plan.layers[layer].computes * KV_WIDTH;
}

fn rows_qkv(pair: u32) -> vec2u {
  let first = pair / HALF * HEAD_DIM + pair % HALF;
  return vec2u(first, first + HALF);
}

fn gather_qkv(layer: u32, chunk: u32) {
  gather_normed(plan.layers[layer].input_norm, residual_round(layer, 0u) - 1u, layer == 0u, chunk);
}

fn scale_qkv() -> f32 { return norm_scale(); }

fn emit_qkv(layer: u32, pair: u32, index: u32, product: vec2f) {
  let head = pair / HALF;
  let column = pair % HALF;
  let angle = rotation[now.start * HALF + column];
  let rotated = vec2f(
    product.x * angle.x - product.y * angle.y,
    product.y * angle.x + product.x * angle.y,
  );
  if (head < HEADS) {
    let at = (row * HEADS + head) * HEAD_DIM + column;
    let scale = 1.0 / sqrt(f32(HEAD_DIM));
    publish(QUERY, at, rotated.x * scale, round_of(layer));
    publish(QUERY, at + HALF, rotated.y * scale, round_of(layer));
  } else {
    let at = fresh_at(plan.layers[layer].source, row) + (head - HEADS) * HEAD_DIM + column;
    let result = select(product, rotated, head < HEADS + KV_HEADS);
    publish(FRESH, at, result.x, turn);
    publish(FRESH, at + HALF, result.y, turn);
  }
}

// o_proj, added to the residual stream. What it multiplies: resident_attend.wgsl.
fn raw_output(at: u32) -> Raw { return raw8(at); }
fn scale_of_output(at: u32) -> f32 { return scale8(at); }
fn place_output(layer: u32) -> Place { return plan.layers[layer].output; }
fn pairs_output(layer: u32) -> u32 { return WIDTH / 2u; }
fn rows_output(pair: u32) -> vec2u { return vec2u(pair * 2u, pair * 2u + 1u); }
fn gather_output(layer: u32, chunk: u32) { gather_attended(round_of(layer), chunk); }
fn scale_output() -> f32 { return 1.0; }

fn emit_output(layer: u32, pair: u32, index: u32, product: vec2f) {
  add_residual(pair, index, product, residual_round(layer, 0u));
}

// silu(gate) * up: the matrix has the rows of gate_proj, then those of up_proj.
fn raw_gated(at: u32) -> Raw { return raw8(at); }
fn scale_of_gated(at: u32) -> f32 { return scale8(at); }
fn place_gated(layer: u32) -> Place { return plan.layers[layer].gated; }
fn pairs_gated(layer: u32) -> u32 { return MLP_WIDTH; }
fn rows_gated(pair: u32) -> vec2u { return vec2u(pair, MLP_WIDTH + pair); }

fn gather_gated(layer: u32, chunk: u32) {
  gather_normed(plan.layers[layer].mlp_norm, residual_round(layer, 0u), false, chunk);
}

fn scale_gated() -> f32 { return norm_scale(); }

fn emit_gated(layer: u32, pair: u32, index: u32, product: vec2f) {
  let value = product.x / (1.0 + exp(-product.x)) * product.y;
  publish(ACTIVATED, row * MLP_WIDTH + pair, value, round_of(layer));
}

// down_proj, added to the residual stream.
fn raw_down(at: u32) -> Raw { return raw8(at); }
fn scale_of_down(at: u32) -> f32 { return scale8(at); }
fn place_down(layer: u32) -> Place { return plan.layers[layer].down; }
fn pairs_down(layer: u32) -> u32 { return WIDTH / 2u; }
fn rows_down(pair: u32) -> vec2u { return vec2u(pair * 2u, pair * 2u + 1u); }

fn gather_down(layer: u32, chunk: u32) {
  if (row >= count) { return; }
  let first = chunk * CHUNK_down * 2u;
  let end = min(first + CHUNK_down * 2u, MLP_WIDTH / 4u);
  let begin = row * (MLP_WIDTH / 4u);
  let vector_EACH_OF_MLP = first + EACH_OF_MLP * ROW_LANES + row_lane;
  let words_EACH_OF_MLP = peek(ACTIVATED, begin + min(vector_EACH_OF_MLP, end - 1u));
  if (vector_EACH_OF_MLP < end) { put_activated(vector_EACH_OF_MLP, first, round_of(layer), words_EACH_OF_MLP); }
}

fn put_activated(vector: u32, first: u32, round: u32, read_already: vec4u) {
  x[x_at(row, vector - first)] = await_values(ACTIVATED, row * (MLP_WIDTH / 4u) + vector, round, read_already);
}

fn scale_down() -> f32 { return 1.0; }

fn emit_down(layer: u32, pair: u32, index: u32, product: vec2f) {
  add_residual(pair, index, product, residual_round(layer, 1u));
}
