// The products of a layer: what they multiply, which two rows of the matrix make a pair, and what
// becomes of their products. Rounds: the residual stream changes twice a layer, all else once.

/// Sums of parts of pairs.
var<workgroup> sums: array<vec2f, MOST_TASKS>;
/// The residual stream where this workgroup makes it, a pair of columns each.
var<workgroup> residual: array<vec2f, RESIDUAL_PAIRS>;

fn sum_of(pair: u32, parts: u32) -> vec2f {
  var sum = vec2f(0.0);
  for (var p = 0u; p < parts; p++) { sum += sums[pair * parts + p]; }
  return sum;
}

fn finish(task: u32, sum: vec2f) {
  if (subgroup_lane == 0u) { sums[task] = sum; }
}

fn round_of(layer: u32) -> u32 { return turn * LAYERS + layer; }

/// Half 0: after attention; 1: after the layer.
fn residual_round(layer: u32, half: u32) -> u32 { return 2u * round_of(layer) + half; }

fn embedding_block(block: u32) -> mat2x4f {
  let at = min(sequence[position].id, VOCAB - 1u) * (WIDTH / 8u) + block;
  return unpack8(table8(plan.embedding.x + at)) * table_scale8(plan.embedding.y + at / 4u);
}

fn begin_residual() {
  let share = share_of(WIDTH / 2u);
  for (var i = lane; i < share.count; i += LANES) {
    let column = (share.first + i) * 2u;
    let eight = embedding_block(column / 8u);
    let four = select(eight[0], eight[1], column % 8u >= 4u);
    residual[i] = select(four.xy, four.zw, column % 4u >= 2u);
  }
}

/// Four of a norm's weights, f32 among the words that scales lie in.
fn norm4(at: u32) -> vec4f {
  return bitcast<vec4f>(vec4u(scales[at], scales[at + 1u], scales[at + 2u], scales[at + 3u]));
}

/// x = the residual stream times a norm's weights; the sum of its squares to `meeting`.
fn gather_normed(norm: u32, round: u32, is_embedding: bool) {
  var read_already: array<vec4u, WIDTH_TURNS>;
  var weight: array<vec4f, WIDTH_TURNS>;
  for (var i = 0u; i < WIDTH_TURNS; i++) {
    let at = min(i * LANES + lane, WIDTH4 - 1u);
    weight[i] = norm4(norm + at * 4u);
    if (!is_embedding) { read_already[i] = peek4(RESIDUAL + at * 4u); }
  }
  var square = 0.0;
  for (var i = 0u; i < WIDTH_TURNS; i++) {
    let at = i * LANES + lane;
    if (at >= WIDTH4) { break; }
    var value: vec4f;
    if (is_embedding) {
      let eight = embedding_block(at / 2u);
      value = select(eight[0], eight[1], at % 2u == 1u);
    } else {
      value = values_of(await4(RESIDUAL + at * 4u, round, read_already[i]));
    }
    square += dot(value, value);
    x[at] = value * weight[i];
  }
  let sum = subgroupAdd(square);
  if (subgroup_lane == 0u) { meeting[my_subgroup] = sum; }
}

fn add_residual(pair: u32, index: u32, product: vec2f, round: u32) {
  let sum = residual[index] + product;
  residual[index] = sum;
  publish(RESIDUAL + pair * 2u, sum.x, round);
  publish(RESIDUAL + pair * 2u + 1u, sum.y, round);
}

// Queries, rotated (RoPE with half rotation) and scaled; keys, rotated, and values.
fn raw_qkv(at: u32) -> Raw { return raw8(at); }
fn scale_of_qkv(at: u32) -> f32 { return scale8(at); }
fn place_qkv(layer: u32) -> Place { return plan.layers[layer].qkv; }

fn pairs_qkv(layer: u32) -> u32 {
  return HEADS * HALF + plan.layers[layer].computes * KV_WIDTH;
}

fn rows_qkv(pair: u32) -> vec2u {
  let row = pair / HALF * HEAD_DIM + pair % HALF;
  return vec2u(row, row + HALF);
}

fn gather_qkv(layer: u32) {
  gather_normed(plan.layers[layer].input_norm, residual_round(layer, 0u) - 1u, layer == 0u);
}

fn scale_qkv() -> f32 { return norm_scale(); }
fn finish_qkv(first: u32, task: u32, sum: vec2f) { finish(task, sum); }

fn emit_qkv(layer: u32, pair: u32, index: u32) {
  let product = sum_of(index, PARTS_qkv);
  let head = pair / HALF;
  let column = pair % HALF;
  let angle = rotation[position * HALF + column];
  let rotated = vec2f(
    product.x * angle.x - product.y * angle.y,
    product.y * angle.x + product.x * angle.y,
  );
  if (head < HEADS) {
    let at = QUERY + head * HEAD_DIM + column;
    let scale = 1.0 / sqrt(f32(HEAD_DIM));
    publish(at, rotated.x * scale, round_of(layer));
    publish(at + HALF, rotated.y * scale, round_of(layer));
  } else {
    let at = FRESH + plan.layers[layer].source * 2u * KV_WIDTH + (head - HEADS) * HEAD_DIM + column;
    let result = select(product, rotated, head < HEADS + KV_HEADS);
    publish(at, result.x, turn);
    publish(at + HALF, result.y, turn);
  }
}

// o_proj, added to the residual stream. What it multiplies: resident_attend.wgsl.
fn raw_output(at: u32) -> Raw { return raw8(at); }
fn scale_of_output(at: u32) -> f32 { return scale8(at); }
fn place_output(layer: u32) -> Place { return plan.layers[layer].output; }
fn pairs_output(layer: u32) -> u32 { return WIDTH / 2u; }
fn rows_output(pair: u32) -> vec2u { return vec2u(pair * 2u, pair * 2u + 1u); }
fn gather_output(layer: u32) { gather_attended(round_of(layer)); }
fn scale_output() -> f32 { return 1.0; }
fn finish_output(first: u32, task: u32, sum: vec2f) { finish(task, sum); }

fn emit_output(layer: u32, pair: u32, index: u32) {
  add_residual(pair, index, sum_of(index, PARTS_output), residual_round(layer, 0u));
}

// silu(gate) * up: the matrix has the rows of gate_proj, then those of up_proj.
fn raw_gated(at: u32) -> Raw { return raw8(at); }
fn scale_of_gated(at: u32) -> f32 { return scale8(at); }
fn place_gated(layer: u32) -> Place { return plan.layers[layer].gated; }
fn pairs_gated(layer: u32) -> u32 { return MLP_WIDTH; }
fn rows_gated(pair: u32) -> vec2u { return vec2u(pair, MLP_WIDTH + pair); }

fn gather_gated(layer: u32) {
  gather_normed(plan.layers[layer].mlp_norm, residual_round(layer, 0u), false);
}

fn scale_gated() -> f32 { return norm_scale(); }
fn finish_gated(first: u32, task: u32, sum: vec2f) { finish(task, sum); }

fn emit_gated(layer: u32, pair: u32, index: u32) {
  let product = sum_of(index, PARTS_gated);
  let value = product.x / (1.0 + exp(-product.x)) * product.y;
  publish(ACTIVATED + pair, value, round_of(layer));
}

// down_proj, added to the residual stream.
fn raw_down(at: u32) -> Raw { return raw8(at); }
fn scale_of_down(at: u32) -> f32 { return scale8(at); }
fn place_down(layer: u32) -> Place { return plan.layers[layer].down; }
fn pairs_down(layer: u32) -> u32 { return WIDTH / 2u; }
fn rows_down(pair: u32) -> vec2u { return vec2u(pair * 2u, pair * 2u + 1u); }

fn gather_down(layer: u32) {
  var read_already: array<vec4u, MLP_TURNS>;
  for (var i = 0u; i < MLP_TURNS; i++) {
    read_already[i] = peek4(ACTIVATED + min(i * LANES + lane, MLP_WIDTH / 4u - 1u) * 4u);
  }
  for (var i = 0u; i < MLP_TURNS; i++) {
    let at = i * LANES + lane;
    if (at >= MLP_WIDTH / 4u) { break; }
    x[at] = values_of(await4(ACTIVATED + at * 4u, round_of(layer), read_already[i]));
  }
}

fn scale_down() -> f32 { return 1.0; }
fn finish_down(first: u32, task: u32, sum: vec2f) { finish(task, sum); }

fn emit_down(layer: u32, pair: u32, index: u32) {
  add_residual(pair, index, sum_of(index, PARTS_down), residual_round(layer, 1u));
}
