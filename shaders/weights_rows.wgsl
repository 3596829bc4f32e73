// The rows of one matrix, which begins where the bindings of weights_*.wgsl do. BLOCKS = cols / 8.

/// The scale of columns [8 * block, 8 * block + 8) of a row; the same for four blocks.
fn scale_of(row: u32, block: u32) -> f32 { return scale8((row * BLOCKS + block) / 4u); }

/// These columns without their scale, as two vec4.
fn load8_unscaled(row: u32, block: u32) -> mat2x4f { return unpack8(raw8(row * BLOCKS + block)); }

fn load8(row: u32, block: u32) -> mat2x4f { return unfold8(fetch8(row, block)); }

/// What `load8` needs, as it is in memory: work can go on until that answers, before `unfold8`.
struct Fetched { raw: Raw, scale: f32 }

fn fetch8(row: u32, block: u32) -> Fetched {
  return Fetched(raw8(row * BLOCKS + block), scale_of(row, block));
}

fn unfold8(fetched: Fetched) -> mat2x4f { return unpack8(fetched.raw) * fetched.scale; }
