// As matvec_subgroup.wgsl, for devices without subgroups: a workgroup owns UNITS pairs, LANES_PER_UNIT
// neighbouring lanes each, whose partial sums meet in workgroup memory.
@group(0) @binding(8) var<uniform> step: Step;

/// With NORM, the sum of squares of the columns that input8 gave last.
var<private> square: f32;

const LANES_PER_UNIT = LANES / UNITS;
/// By row, then by lane: the two sums of a pair, and the squares.
var<workgroup> partial: array<vec3f, TOKENS * LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rows = pair_rows(min(group.x * UNITS + lane / LANES_PER_UNIT, PAIR_COUNT - 1u));
  var sum: array<vec2f, TOKENS>;
  var squares: array<f32, TOKENS>;
  for (var block = lane % LANES_PER_UNIT; block < BLOCKS; block += LANES_PER_UNIT) {
    let a = load8(rows.x, block);
    let b = load8(rows.y, block);
    for (var t = 0u; t < TOKENS; t++) {
      let v = input8(group.y * TOKENS + t, block);
      squares[t] += square;
      sum[t] += vec2f(dot(a[0], v[0]) + dot(a[1], v[1]), dot(b[0], v[0]) + dot(b[1], v[1]));
    }
  }
  for (var t = 0u; t < TOKENS; t++) { partial[t * LANES + lane] = vec3f(sum[t], squares[t]); }
  workgroupBarrier();
  for (var i = lane; i < TOKENS * UNITS; i += LANES) {
    let pair = group.x * UNITS + i % UNITS;
    let t = i / UNITS;
    let token = group.y * TOKENS + t;
    var total = vec3f(0.0);
    for (var j = 0u; j < LANES_PER_UNIT; j++) {
      total += partial[t * LANES + i % UNITS * LANES_PER_UNIT + j];
    }
    var scale = 1.0;
    if (NORM) { scale = inverseSqrt(total.z / f32(WIDTH) + EPS); }
    if (token < step.count && pair < PAIR_COUNT) { emit(token, pair, total.xy * scale); }
  }
}
