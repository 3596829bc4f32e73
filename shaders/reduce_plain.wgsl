// Sums and maxima over a workgroup without subgroups. Every lane gets the result.
var<workgroup> meeting: array<f32, LANES>;

fn max_of_all(value: f32, lane: u32) -> f32 {
  meeting[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { meeting[lane] = max(meeting[lane], meeting[lane + half]); }
    workgroupBarrier();
  }
  let result = meeting[0];
  workgroupBarrier();
  return result;
}

fn sum_of_all(value: f32, lane: u32) -> f32 {
  meeting[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { meeting[lane] += meeting[lane + half]; }
    workgroupBarrier();
  }
  let result = meeting[0];
  workgroupBarrier();
  return result;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  attend(group.x, group.y, group.z, lane);
}
