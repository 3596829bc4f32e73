/** What the device can do at most, measured: bytes moved by a kernel, and multiply-adds. */
import { timeDispatch } from './trace';

const COPY = `
@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> target_: array<vec4f>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * 256u + id.x;
  target_[at] = source[at];
}`;
const CHAIN = 256;
const PRODUCT = `
@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> target_: array<vec4f>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = source[id.x % 64u];
  var a = x; var b = x + 1.0; var c = x + 2.0; var d = x + 3.0;
  for (var i = 0u; i < ${CHAIN}u; i++) {
    a = fma(a, x, b); b = fma(b, x, c); c = fma(c, x, d); d = fma(d, x, a);
  }
  target_[id.x % 64u] = a + b + c + d;
}`;

/** GB/s of a copy (bytes read and written) and TFLOP/s of f32 multiply-adds in registers. */
export async function ceilings(
  device: GPUDevice,
  software: boolean,
): Promise<{ copyGbPerSecond: number; tflops: number }> {
  const bytes = software ? 32 << 20 : 128 << 20;
  const buffer = () => device.createBuffer({ size: bytes, usage: GPUBufferUsage.STORAGE });
  const buffers = [buffer(), buffer()];
  const run = async (code: string, workgroups: [number, number, number]) => {
    const pipeline = await device.createComputePipelineAsync({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code }), entryPoint: 'main' },
    });
    const bindGroup = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((resource, binding) => ({ binding, resource: { buffer: resource } })),
    });
    const work = { pipeline, bindGroup, workgroups };
    await timeDispatch(device, work, 2);
    return timeDispatch(device, work, software ? 3 : 20);
  };
  const rows = bytes / 16 / 256;
  const copyNs = await run(COPY, [1024, rows / 1024, 1]);
  const groups = software ? 64 : 8192;
  const productNs = await run(PRODUCT, [groups, 1, 1]);
  for (const it of buffers) it.destroy();
  return {
    copyGbPerSecond: (2 * bytes) / copyNs,
    tflops: (groups * 256 * CHAIN * 4 * 4 * 2) / productNs / 1000,
  };
}
