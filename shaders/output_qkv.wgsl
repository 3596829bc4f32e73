// Queries, rotated (RoPE with half rotation) and scaled, to y; where KV, rotated keys and values to
// the cache. The matrix has the rows of q_proj, then those of k_proj and v_proj; a pair is columns
// i and i + HEAD_DIM / 2 of a head.
// y: f32 [T][Y_STRIDE]; rotation: f32 [positions][HEAD_DIM / 2] of (cos, sin); keys, values: f32
// [slots][KV_HEADS * HEAD_DIM].
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> rotation: array<vec2f>;

const HALF = HEAD_DIM / 2u;

fn pair_rows(pair: u32) -> vec2u {
  let row = pair / HALF * HEAD_DIM + pair % HALF;
  return vec2u(row, row + HALF);
}

fn emit(token: u32, pair: u32, product: vec2f) {
  let head = pair / HALF;
  let column = pair % HALF;
  let position = position_of(token);
  let turn = rotation[position * HALF + column];
  let rotated = vec2f(
    product.x * turn.x - product.y * turn.y,
    product.y * turn.x + product.x * turn.y,
  );
  if (head < HEADS) {
    let at = token * Y_STRIDE + head * HEAD_DIM + column;
    let scale = 1.0 / sqrt(f32(HEAD_DIM));
    y[at] = rotated.x * scale;
    y[at + HALF] = rotated.y * scale;
  } else {
    emit_kv(slot(token, position), head - HEADS, column, rotated, product);
  }
}
