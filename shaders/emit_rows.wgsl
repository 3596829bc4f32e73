// What an output_*.wgsl makes of a product that is finished, and lies where that puts its own: y. Many
// rows of branches. An invocation owns a pair of one row, which no other reads or writes.
@group(0) @binding(8) var<uniform> step: Step;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let pair = id.x;
  let token = id.y;
  if (pair >= PAIR_COUNT || token >= step.count) { return; }
  let columns = pair_rows(pair);
  let product = vec2f(y[token * Y_STRIDE + columns.x], y[token * Y_STRIDE + columns.y]);
  emit(token, pair, product);
}
