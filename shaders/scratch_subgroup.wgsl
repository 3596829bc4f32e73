// Eight values of workgroup memory at an address that is the same for the whole subgroup: eight
// lanes load one each and hand them round. Needs subgroups of at least 8.
var<private> subgroup_lane: u32;

fn scratch8(at: u32) -> mat2x4f {
  let v = scratch[at + subgroup_lane % 8u];
  return mat2x4f(
    vec4f(
      subgroupBroadcast(v, 0u),
      subgroupBroadcast(v, 1u),
      subgroupBroadcast(v, 2u),
      subgroupBroadcast(v, 3u),
    ),
    vec4f(
      subgroupBroadcast(v, 4u),
      subgroupBroadcast(v, 5u),
      subgroupBroadcast(v, 6u),
      subgroupBroadcast(v, 7u),
    ),
  );
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
) {
  subgroup_lane = in_subgroup;
  attend(group.x, group.y * TOKENS, lane);
}
