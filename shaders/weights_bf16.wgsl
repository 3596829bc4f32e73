// Weight rows stored as bf16, two to a word: a bf16 is the upper half of an f32.
// cols is padded to a multiple of 8.
alias Raw = vec4u;
@group(0) @binding(0) var<storage, read> weights: array<Raw>;

/// The i-th block of 8 columns, counted through all rows, as it is stored.
fn raw8(i: u32) -> Raw { return weights[i]; }

fn unpack8(raw: Raw) -> mat2x4f {
  let low = bitcast<vec4f>(raw << vec4u(16u));
  let high = bitcast<vec4f>(raw & vec4u(0xffff0000u));
  return mat2x4f(
    vec4f(low.x, high.x, low.y, high.y),
    vec4f(low.z, high.z, low.w, high.w),
  );
}

fn scale8(group: u32) -> f32 { return 1.0; }
