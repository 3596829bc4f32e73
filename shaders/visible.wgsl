// Which positions a query sees: [first, end). Empty for the first token of a strict layer.
struct Range { first: u32, end: u32 }

fn visible(position: u32) -> Range {
  var range = Range(0u, position + 1u);
  if (STRICT) { range.end = position; }
  if (WINDOW > 0u && position + 1u > WINDOW) { range.first = position + 1u - WINDOW; }
  return range;
}
