// What changes from one forward pass to the next; everything else is a constant of the prelude.
struct Step {
  /// Position of the first new token.
  start: u32,
  /// Rows of this pass: new tokens one after the other, or one new token of each branch.
  count: u32,
  /// Which row's logits are wanted.
  logit_row: u32,
  /// Slots that a branch has of its own; 0: there is one sequence.
  branch_slots: u32,
  /// Position from which branches differ.
  branch_start: u32,
}

fn position_of(row: u32) -> u32 {
  return step.start + select(row, 0u, step.branch_slots > 0u);
}

/// The position after the rows of this pass.
fn end_position() -> u32 {
  return step.start + select(step.count, 1u, step.branch_slots > 0u);
}

/// Where the cache and the sequence have a position of a row's branch.
fn slot(row: u32, position: u32) -> u32 { return slot_in(step, row, position); }

fn slot_in(now: Step, row: u32, position: u32) -> u32 {
  return position + select(0u, row * now.branch_slots, position >= now.branch_start);
}

/// A token of the sequence, with the natural logarithm of its probability where the device chose it.
struct Token {
  id: u32,
  log_probability: f32,
}
