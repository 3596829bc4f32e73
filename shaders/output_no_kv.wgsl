// For layers that read another layer's keys and values.
fn emit_kv(slot: u32, head: u32, column: u32, key: vec2f, value: vec2f) {}
