// h[t] = the embedding row of each new token.
// sequence: Token [slots]; h: f32 [T][STRIDE]; weights: this piece's rows [ROW_OFFSET, ROW_OFFSET + ROWS).
// An invocation owns 8 columns of one token. Ids outside the piece are left to another piece.
@group(0) @binding(2) var<storage, read> sequence: array<Token>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4f>;
@group(0) @binding(4) var<uniform> step: Step;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let block = id.x;
  let token = id.y;
  if (block >= BLOCKS || token >= step.count) { return; }
  let row = sequence[slot(token, position_of(token))].id - ROW_OFFSET;
  if (row >= ROWS) { return; }
  let w = load8(row, block);
  let at = token * (STRIDE / 4u) + block * 2u;
  h[at] = w[0];
  h[at + 1u] = w[1];
}
