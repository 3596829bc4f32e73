// For layers that compute keys and values. `head` counts the heads of the keys, then the values'.
@group(0) @binding(6) var<storage, read_write> keys: array<f32>;
@group(0) @binding(7) var<storage, read_write> values: array<f32>;

fn emit_kv(slot: u32, head: u32, column: u32, key: vec2f, value: vec2f) {
  let at = (slot * KV_HEADS + head % KV_HEADS) * HEAD_DIM + column;
  if (head < KV_HEADS) {
    keys[at] = key.x;
    keys[at + HALF] = key.y;
  } else {
    values[at] = value.x;
    values[at + HALF] = value.y;
  }
}
