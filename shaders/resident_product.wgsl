// A product of the resident kernel; KIND stands for which one, as this text is there once for each.
// A workgroup owns some pairs of rows. Each pair's columns are cut into PARTS_KIND parts, and the
// subgroups take the parts in turn, DEPTH_KIND blocks of 8 columns a lane at a time. The weights of the next
// step are on their way while this one is multiplied, the first ones while the input is waited for.
struct Weights_KIND {
  a: array<Raw, DEPTH_KIND>,
  b: array<Raw, DEPTH_KIND>,
  scale: array<vec2f, DEPTH_KIND>,
}

/// Blocks of a part.
const PART_KIND = (BLOCKS_KIND + PARTS_KIND - 1u) / PARTS_KIND;

fn fetch_KIND(place: Place, first_pair: u32, task: u32, turn_of_part: u32) -> Weights_KIND {
  var found: Weights_KIND;
  let rows = rows_KIND(first_pair + task / PARTS_KIND);
  let begin = task % PARTS_KIND * PART_KIND + turn_of_part * lanes * DEPTH_KIND + subgroup_lane;
  for (var d = 0u; d < DEPTH_KIND; d++) {
    let block = min(begin + d * lanes, BLOCKS_KIND - 1u);
    let at = rows * BLOCKS_KIND + block;
    found.a[d] = raw_KIND(place.x + at.x);
    found.b[d] = raw_KIND(place.x + at.y);
    found.scale[d] = vec2f(scale_of_KIND(place.y + at.x / 4u), scale_of_KIND(place.y + at.y / 4u));
  }
  return found;
}

/// The products of this lane's columns.
fn dots_KIND(w: Weights_KIND, task: u32, turn_of_part: u32) -> vec2f {
  var sum = vec2f(0.0);
  let part = task % PARTS_KIND * PART_KIND;
  let begin = part + turn_of_part * lanes * DEPTH_KIND + subgroup_lane;
  let end = min(part + PART_KIND, BLOCKS_KIND);
  for (var d = 0u; d < DEPTH_KIND; d++) {
    let block = min(begin + d * lanes, BLOCKS_KIND - 1u);
    let low = x[block * 2u];
    let high = x[block * 2u + 1u];
    let a = unpack8(w.a[d]);
    let b = unpack8(w.b[d]);
    let product = vec2f(dot(a[0], low) + dot(a[1], high), dot(b[0], low) + dot(b[1], high));
    sum += select(vec2f(0.0), product * w.scale[d], begin + d * lanes < end);
  }
  return sum;
}

fn multiply_KIND(layer: u32) {
  let place = place_KIND(layer);
  let share = share_of(pairs_KIND(layer));
  let tasks = share.count * PARTS_KIND;
  let turns = (PART_KIND + lanes * DEPTH_KIND - 1u) / (lanes * DEPTH_KIND);
  var task = my_subgroup;
  var ahead: Weights_KIND;
  if (task < tasks) { ahead = fetch_KIND(place, share.first, task, 0u); }
  gather_KIND(layer);
  workgroupBarrier();
  let scale = scale_KIND();
  while (task < tasks) {
    var sum = vec2f(0.0);
    let mine = task;
    for (var i = 0u; i < turns; i++) {
      let now = ahead;
      let is_last = i + 1u == turns;
      if (is_last) { task += subgroup_count; }
      if (task < tasks) { ahead = fetch_KIND(place, share.first, task, select(i + 1u, 0u, is_last)); }
      sum += dots_KIND(now, mine, i);
    }
    finish_KIND(share.first, mine, subgroupAdd(sum) * scale);
  }
  workgroupBarrier();
  for (var i = lane; i < share.count; i += LANES) { emit_KIND(layer, share.first + i, i); }
  // Subgroups that wait for values must not keep this workgroup's own from publishing theirs.
  workgroupBarrier();
}
