// A product of the resident kernel; KIND stands for which one, as this text is there once for each. Lines with EACH_ROW
// or EACH_BLOCK are there once for each sequence and for each block that a lane has under way (src/engine/unroll.ts).
// A workgroup owns some pairs of rows of the matrix. x comes in CHUNKS_KIND chunks of columns, as workgroup memory
// may not hold it for all sequences. A chunk's columns are cut into PARTS_KIND parts, and the
// subgroups take the parts of the pairs in turn, DEPTH_KIND blocks of 8 columns a lane at a time. The weights of the
// next step are on their way while this one is multiplied, the first ones while x is waited for.
struct Weights_KIND {
  a: array<Raw, DEPTH_KIND>,
  b: array<Raw, DEPTH_KIND>,
  scale: array<vec2f, DEPTH_KIND>,
}

/// Blocks of a part.
const PART_KIND = (CHUNK_KIND + PARTS_KIND - 1u) / PARTS_KIND;

/// The first block of this lane's, counted within the chunk.
fn begin_KIND(task: u32, turn_of_part: u32) -> u32 {
  return task % PARTS_KIND * PART_KIND + turn_of_part * lanes * DEPTH_KIND + subgroup_lane;
}

fn fetch_KIND(place: Place, first_pair: u32, task: u32, chunk: u32, turn_of_part: u32) -> Weights_KIND {
  var found: Weights_KIND;
  let rows = rows_KIND(first_pair + task / PARTS_KIND);
  let begin = chunk * CHUNK_KIND + begin_KIND(task, turn_of_part);
  let at_EACH_BLOCK = rows * BLOCKS_KIND + min(begin + EACH_BLOCK * lanes, BLOCKS_KIND - 1u);
  found.a[EACH_BLOCK] = raw_KIND(place.x + at_EACH_BLOCK.x);
  found.b[EACH_BLOCK] = raw_KIND(place.x + at_EACH_BLOCK.y);
  found.scale[EACH_BLOCK].x = scale_of_KIND(place.y + at_EACH_BLOCK.x / 4u);
  found.scale[EACH_BLOCK].y = scale_of_KIND(place.y + at_EACH_BLOCK.y / 4u);
  return found;
}

/// Adds the products of this lane's columns, for every sequence.
fn dots_KIND(w: Weights_KIND, task: u32, chunk: u32, turn_of_part: u32, sum: ptr<function, Sums>) {
  let begin = begin_KIND(task, turn_of_part);
  let size = min(CHUNK_KIND, BLOCKS_KIND - chunk * CHUNK_KIND);
  let end = min(task % PARTS_KIND * PART_KIND + PART_KIND, size);
  let block_EACH_BLOCK = begin + EACH_BLOCK * lanes;
  let scale_EACH_BLOCK = select(vec2f(0.0), w.scale[EACH_BLOCK], block_EACH_BLOCK < end);
  add_KIND(w.a[EACH_BLOCK], w.b[EACH_BLOCK], scale_EACH_BLOCK, min(block_EACH_BLOCK, size - 1u), sum);
}

fn add_KIND(raw_a: Raw, raw_b: Raw, scale: vec2f, block: u32, sum: ptr<function, Sums>) {
  let a = unpack8(raw_a);
  let b = unpack8(raw_b);
  (*sum)[EACH_ROW] += dots(a, b, EACH_ROW, block) * scale;
}

fn multiply_KIND(layer: u32) {
  let place = place_KIND(layer);
  let share = share_of(pairs_KIND(layer));
  let tasks = share.count * PARTS_KIND;
  let turns = (PART_KIND + lanes * DEPTH_KIND - 1u) / (lanes * DEPTH_KIND);
  for (var chunk = 0u; chunk < CHUNKS_KIND; chunk++) {
    var task = my_subgroup;
    var ahead: Weights_KIND;
    if (task < tasks) { ahead = fetch_KIND(place, share.first, task, chunk, 0u); }
    gather_KIND(layer, chunk);
    workgroupBarrier();
    while (task < tasks) {
      var sum = Sums();
      let mine = task;
      for (var i = 0u; i < turns; i++) {
        let now = ahead;
        let is_last = i + 1u == turns;
        if (is_last) { task += subgroup_count; }
        if (task < tasks) {
          ahead = fetch_KIND(place, share.first, task, chunk, select(i + 1u, 0u, is_last));
        }
        dots_KIND(now, mine, chunk, i, &sum);
      }
      keep_sums(mine, chunk, sum);
    }
    workgroupBarrier();
  }
  let scale = scale_KIND();
  let end = select(0u, share.count, row < count);
  for (var i = row_lane; i < end; i += ROW_LANES) {
    emit_KIND(layer, share.first + i, i, sum_of(i, PARTS_KIND) * scale);
  }
  // Subgroups that wait for values must not keep this workgroup's own from publishing theirs.
  workgroupBarrier();
}
