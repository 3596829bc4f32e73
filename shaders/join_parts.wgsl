// The output of attend_split.wgsl joined (input_merge.wgsl) once, where every workgroup of a product
// would join it again. o: f32 [T][8 * BLOCKS]. An invocation owns 8 columns of one row.
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(8) var<uniform> step: Step;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let block = id.x;
  let row = id.y;
  if (block >= BLOCKS || row >= step.count) { return; }
  let columns = input8(row, block);
  let at = (row * BLOCKS + block) * 2u;
  o[at] = columns[0];
  o[at + 1u] = columns[1];
}
