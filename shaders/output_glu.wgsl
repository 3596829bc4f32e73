// y[t][f] = silu(gate) * up (lckv.md section 2). y: f32 [T][Y_STRIDE]. The matrix has the rows of
// gate_proj, then those of up_proj; a pair is one row of each.
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn pair_rows(pair: u32) -> vec2u {
  return vec2u(pair, ROWS / 2u + pair);
}

fn emit(token: u32, pair: u32, product: vec2f) {
  y[token * Y_STRIDE + pair] = product.x / (1.0 + exp(-product.x)) * product.y;
}
