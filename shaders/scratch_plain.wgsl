// Eight values of workgroup memory, for devices without subgroups.
fn scratch8(at: u32) -> mat2x4f {
  return mat2x4f(
    vec4f(scratch[at], scratch[at + 1u], scratch[at + 2u], scratch[at + 3u]),
    vec4f(scratch[at + 4u], scratch[at + 5u], scratch[at + 6u], scratch[at + 7u]),
  );
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  attend(group.x, group.y * TOKENS, lane);
}
