// What changes from one forward pass to the next; everything else is a constant of the prelude.
struct Step {
  /// Position of the first new token = tokens already in the cache.
  start: u32,
  /// New tokens of this pass.
  count: u32,
  /// Which new token's logits are wanted.
  logit_row: u32,
}
