// Weight rows stored as f16, two to a word; unpacked by core WGSL, so `shader-f16` is not needed.
// cols is padded to a multiple of 8.
alias Raw = vec4u;
@group(0) @binding(0) var<storage, read> weights: array<Raw>;

/// The i-th block of 8 columns, counted through all rows, as it is stored.
fn raw8(i: u32) -> Raw { return weights[i]; }

fn unpack8(raw: Raw) -> mat2x4f {
  return mat2x4f(
    vec4f(unpack2x16float(raw.x), unpack2x16float(raw.y)),
    vec4f(unpack2x16float(raw.z), unpack2x16float(raw.w)),
  );
}

fn scale8(group: u32) -> f32 { return 1.0; }
