// The products of a layer: what they multiply, which two rows of the matrix make a pair, and what
// becomes of their products. Rounds: the residual stream changes twice a layer, all else once. Regions of the
// exchange hold what is named [ROWS][...], a row after the other.

/// The residual stream where this workgroup makes it, a pair of columns each.
var<workgroup> residual: array<vec2f, ROWS * RESIDUAL_PAIRS>;
/// Of what this lane gathered of the residual stream.
var<private> squares: f32;

fn round_of(layer: u32) -> u32 { return turn * LAYERS + layer; }

/// Half 0: after attention; 1: after the layer.
fn residual_round(layer: u32, half: u32) -> u32 { return 2u * round_of(layer) + half; }

fn embedding_block(block: u32) -> mat2x4f {
  let id = sequence[slot_in(now, row, now.start)].id;
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
  let end = select(0u, share.count, row < now.count);
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

/// x = a chunk of the residual stream times a norm's weights; at the end the sum of all squares to `meeting`.
fn gather_normed(norm: u32, round: u32, is_embedding: bool, chunk: u32) {
  if (row >= now.count) { return; }
  var read_already: array<vec4u, WIDTH_TURNS>;
  var weight: array<vec4f, WIDTH_TURNS>;
  let first = chunk * CHUNK_qkv * 2u; // as CHUNK_gated and CHUNK_head
  let end = min(first + CHUNK_qkv * 2u, WIDTH4);
  for (var i = 0u; i < WIDTH_TURNS; i++) {
    let vector = min(first + i * ROW_LANES + row_lane, end - 1u);
    weight[i] = norm4(norm + vector * 4u);
    if (!is_embedding) { read_already[i] = peek(RESIDUAL, row * WIDTH4 + vector); }
  }
  if (chunk == 0u) { squares = 0.0; }
  for (var i = 0u; i < WIDTH_TURNS; i++) {
    let vector = first + i * ROW_LANES + row_lane;
    if (vector >= end) { break; }
    let value = residual4(vector, round, is_embedding, read_already[i]);
    squares += dot(value, value);
    x[x_at(row, vector - first)] = value * weight[i];
  }
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
  if (row >= now.count) { return; }
  var read_already: array<vec4u, MLP_TURNS>;
  let first = chunk * CHUNK_down * 2u;
  let end = min(first + CHUNK_down * 2u, MLP_WIDTH / 4u);
  let begin = row * (MLP_WIDTH / 4u);
  for (var i = 0u; i < MLP_TURNS; i++) {
    let vector = min(first + i * ROW_LANES + row_lane, end - 1u);
    read_already[i] = peek(ACTIVATED, begin + vector);
  }
  for (var i = 0u; i < MLP_TURNS; i++) {
    let vector = first + i * ROW_LANES + row_lane;
    if (vector >= end) { break; }
    let value = await_values(ACTIVATED, begin + vector, round_of(layer), read_already[i]);
    x[x_at(row, vector - first)] = value;
  }
}

fn scale_down() -> f32 { return 1.0; }

fn emit_down(layer: u32, pair: u32, index: u32, product: vec2f) {
  add_residual(pair, index, product, residual_round(layer, 1u));
}
