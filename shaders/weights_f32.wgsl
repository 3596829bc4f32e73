// Weight rows stored as f32. cols is padded to a multiple of 8.
alias Raw = mat2x4f;
@group(0) @binding(0) var<storage, read> weights: array<Raw>;

/// The i-th block of 8 columns, counted through all rows.
fn raw8(i: u32) -> Raw { return weights[i]; }

fn unpack8(raw: Raw) -> mat2x4f { return raw; }

fn scale8(group: u32) -> f32 { return 1.0; }
