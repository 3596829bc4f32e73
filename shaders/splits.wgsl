// Attention of few new tokens shares the positions out to at most MAX_SPLITS workgroups a head.
const SPLIT_UNIT = 128u;

/// Positions of a split.
fn split_size() -> u32 {
  let units = (end_position() + SPLIT_UNIT - 1u) / SPLIT_UNIT;
  return (units + MAX_SPLITS - 1u) / MAX_SPLITS * SPLIT_UNIT;
}

fn split_count() -> u32 {
  let size = split_size();
  return (end_position() + size - 1u) / size;
}
