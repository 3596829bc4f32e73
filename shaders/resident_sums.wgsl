// Sums of the resident kernel's products: over the columns of a lane, the lanes of a subgroup, the parts of a pair.

/// Sums of parts of pairs, for every sequence.
var<workgroup> sums: array<f32, MOST_TASKS * ROWS * 2u>;

/// The products of a lane's columns, for every sequence; of more than there are, none.
alias Sums = array<vec2f, 8>;

/// The products of eight columns of two rows of a matrix.
fn dots(a: mat2x4f, b: mat2x4f, row: u32, block: u32) -> vec2f {
  let low = x[row * (COLUMNS / 4u) + block];
  let high = x[row * (COLUMNS / 4u) + COLUMNS / 8u + block];
  return vec2f(dot(a[0], low) + dot(a[1], high), dot(b[0], low) + dot(b[1], high));
}

/// Half of two vectors, summed over the lanes that differ in `mask`: lanes without that bit get a, the others b.
fn halved4(a: vec4f, b: vec4f, mask: u32) -> vec4f {
  let is_upper = (subgroup_lane & mask) != 0u;
  return select(a, b, is_upper) + subgroupShuffleXor(select(b, a, is_upper), mask);
}
fn halved2(v: vec4f, mask: u32) -> vec2f {
  let is_upper = (subgroup_lane & mask) != 0u;
  return select(v.xy, v.zw, is_upper) + subgroupShuffleXor(select(v.zw, v.xy, is_upper), mask);
}
fn halved1(v: vec2f, mask: u32) -> f32 {
  let is_upper = (subgroup_lane & mask) != 0u;
  return select(v.x, v.y, is_upper) + subgroupShuffleXor(select(v.y, v.x, is_upper), mask);
}

/// The sums over the subgroup's lanes: lane i of the first 2 * ROWS gets the one whose bits are i's, read backwards.
fn sum_of_lanes(sum: Sums) -> f32 {
  var two = sum[0];
  if (ROWS == 2u) { two = halved2(vec4f(sum[0], sum[1]), 1u); }
  if (ROWS == 4u) { two = halved2(halved4(vec4f(sum[0], sum[1]), vec4f(sum[2], sum[3]), 1u), 2u); }
  if (ROWS == 8u) {
    let low = halved4(vec4f(sum[0], sum[1]), vec4f(sum[4], sum[5]), 1u);
    let high = halved4(vec4f(sum[2], sum[3]), vec4f(sum[6], sum[7]), 1u);
    two = halved2(halved4(low, high, 2u), 4u);
  }
  var total = halved1(two, ROWS);
  for (var mask = 2u * ROWS; mask < lanes; mask *= 2u) { total += subgroupShuffleXor(total, mask); }
  return total;
}

/// The sums of a task; of later chunks to those of the earlier ones.
fn keep_sums(task: u32, chunk: u32, sum: Sums) {
  let total = sum_of_lanes(sum);
  if (subgroup_lane >= 2u * ROWS) { return; }
  let component = reverseBits(subgroup_lane) >> (32u - firstLeadingBit(2u * ROWS));
  let at = task * ROWS * 2u + component;
  sums[at] = total + select(sums[at], 0.0, chunk == 0u);
}

/// The product of a pair of rows, from all parts.
fn sum_of(pair: u32, parts: u32) -> vec2f {
  var sum = vec2f(0.0);
  for (var p = 0u; p < parts; p++) {
    let at = ((pair * parts + p) * ROWS + row) * 2u;
    sum += vec2f(sums[at], sums[at + 1u]);
  }
  return sum;
}
