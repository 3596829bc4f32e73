// Embedding and lm_head, in a buffer apart from the layers, in blocks as those are (weights_*.wgsl).
@group(0) @binding(9) var<storage, read> tables: array<Raw>;
@group(0) @binding(10) var<storage, read> table_scales: array<u32>;

fn table8(i: u32) -> Raw { return tables[i]; }

fn table_scale8(group: u32) -> f32 {
  if (!QUANTIZED) { return 1.0; }
  return unpack2x16float(table_scales[group / 2u])[group % 2u];
}
