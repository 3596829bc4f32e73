// The rotated and scaled query of one token and head, from qkv: f32 [T][QKV_STRIDE] (RoPE, half
// rotation; rotation: f32 [positions][HEAD_DIM / 2] of (cos, sin)).
const HEAD4 = HEAD_DIM / 4u;
const HALF4 = HEAD_DIM / 8u;

fn rotated_query(token: u32, position: u32, head: u32) -> array<vec4f, HEAD4> {
  let scale = 1.0 / sqrt(f32(HEAD_DIM));
  let source = token * (QKV_STRIDE / 4u) + head * HEAD4;
  var q: array<vec4f, HEAD4>;
  for (var i = 0u; i < HALF4; i++) {
    let at = position * (HALF4 * 2u) + i * 2u;
    let first = rotation[at];
    let second = rotation[at + 1u];
    let turn_cos = vec4f(first.x, first.z, second.x, second.z);
    let turn_sin = vec4f(first.y, first.w, second.y, second.w);
    let a = qkv[source + i];
    let b = qkv[source + i + HALF4];
    q[i] = (a * turn_cos - b * turn_sin) * scale;
    q[i + HALF4] = (b * turn_cos + a * turn_sin) * scale;
  }
  return q;
}
