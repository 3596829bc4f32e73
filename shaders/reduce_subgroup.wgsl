// Sums and maxima over a workgroup: first over each subgroup, of any size, then over those.
// Every lane gets the result.
var<workgroup> meeting: array<f32, LANES>;
var<private> my_subgroup: u32;
var<private> subgroup_count: u32;
var<private> subgroup_lane: u32;

fn max_of_all(value: f32, lane: u32) -> f32 {
  let mine = subgroupMax(value);
  if (subgroup_lane == 0u) { meeting[my_subgroup] = mine; }
  workgroupBarrier();
  var result = meeting[0];
  for (var i = 1u; i < subgroup_count; i++) { result = max(result, meeting[i]); }
  workgroupBarrier();
  return result;
}

fn sum_of_all(value: f32, lane: u32) -> f32 {
  let mine = subgroupAdd(value);
  if (subgroup_lane == 0u) { meeting[my_subgroup] = mine; }
  workgroupBarrier();
  var result = meeting[0];
  for (var i = 1u; i < subgroup_count; i++) { result += meeting[i]; }
  workgroupBarrier();
  return result;
}
