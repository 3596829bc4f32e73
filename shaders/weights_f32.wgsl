// Weight rows stored as f32. cols is padded to a multiple of 8, BLOCKS = cols / 8.
alias Raw = mat2x4f;
@group(0) @binding(0) var<storage, read> weights: array<Raw>;

/// The i-th block of 8 columns, counted through all rows.
fn raw8(i: u32) -> Raw { return weights[i]; }

fn unpack8(raw: Raw) -> mat2x4f { return raw; }

fn scale8(group: u32) -> f32 { return 1.0; }
fn scale_of(row: u32, block: u32) -> f32 { return 1.0; }

/// Columns [8 * block, 8 * block + 8) of a row, as two vec4.
fn load8(row: u32, block: u32) -> mat2x4f { return unpack8(raw8(row * BLOCKS + block)); }
fn load8_unscaled(row: u32, block: u32) -> mat2x4f { return load8(row, block); }
