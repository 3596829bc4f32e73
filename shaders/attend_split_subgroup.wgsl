// Where attend_split.wgsl begins, with the reductions of reduce_subgroup.wgsl.
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
) {
  my_subgroup = subgroup;
  subgroup_count = subgroups;
  subgroup_lane = in_subgroup;
  attend(group.x, group.y, group.z, lane);
}
