// y[t][r] = product, or y[t][r] += product where ADD. y: f32 [T][Y_STRIDE]; the matrix' rows
// [ROW_OFFSET, ROW_OFFSET + ROWS) are here. A pair is two neighbouring rows.
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn pair_rows(pair: u32) -> vec2u {
  return vec2u(pair * 2u, min(pair * 2u + 1u, ROWS - 1u));
}

fn emit(token: u32, pair: u32, product: vec2f) {
  let at = token * Y_STRIDE + ROW_OFFSET + pair * 2u;
  if (ADD) { y[at] += product.x; } else { y[at] = product.x; }
  if (pair * 2u + 1u >= ROWS) { return; }
  if (ADD) { y[at + 1u] += product.y; } else { y[at + 1u] = product.y; }
}
