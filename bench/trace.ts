/** Which dispatches the engine makes, seen at the device, and how long each takes by itself. */

/** One dispatch: what runs, on which buffers. */
export interface Dispatch {
  label: string;
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  workgroups: [number, number, number];
  /** Bytes of all buffers bound, and of the one at binding 0: a product's weights. */
  boundBytes: number;
  firstBytes: number;
}

/** Listens at a device from before the engine is built. */
export class Trace {
  private readonly bound = new WeakMap<GPUBindGroup, number[]>();
  private heard: Dispatch[] | null = null;

  constructor(device: GPUDevice) {
    const createBindGroup = device.createBindGroup.bind(device);
    device.createBindGroup = (descriptor) => {
      const group = createBindGroup(descriptor);
      const sizes = [...descriptor.entries].map(({ resource }) => sizeOf(resource));
      this.bound.set(group, sizes);
      return group;
    };
    const createCommandEncoder = device.createCommandEncoder.bind(device);
    device.createCommandEncoder = (descriptor) => this.encoder(createCommandEncoder(descriptor));
  }

  /** The dispatches that `work` makes. */
  async of(work: () => Promise<unknown>): Promise<Dispatch[]> {
    this.heard = [];
    await work();
    const heard = this.heard;
    this.heard = null;
    return heard;
  }

  private encoder(encoder: GPUCommandEncoder): GPUCommandEncoder {
    if (!this.heard) return encoder;
    const beginComputePass = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (descriptor) => this.pass(beginComputePass(descriptor));
    return encoder;
  }

  private pass(pass: GPUComputePassEncoder): GPUComputePassEncoder {
    let pipeline: GPUComputePipeline | null = null;
    let bindGroup: GPUBindGroup | null = null;
    const setPipeline = pass.setPipeline.bind(pass);
    pass.setPipeline = (value) => setPipeline((pipeline = value));
    const setBindGroup = pass.setBindGroup.bind(pass) as (
      index: number,
      group: GPUBindGroup,
    ) => void;
    pass.setBindGroup = ((index: number, value: GPUBindGroup) =>
      setBindGroup(index, (bindGroup = value))) as GPUComputePassEncoder['setBindGroup'];
    const dispatchWorkgroups = pass.dispatchWorkgroups.bind(pass);
    pass.dispatchWorkgroups = (x, y = 1, z = 1) => {
      const sizes = this.bound.get(bindGroup!) ?? [0];
      this.heard?.push({
        label: pipeline!.label,
        pipeline: pipeline!,
        bindGroup: bindGroup!,
        workgroups: [x, y, z],
        boundBytes: sizes.reduce((sum, size) => sum + size),
        firstBytes: sizes[0],
      });
      dispatchWorkgroups(x, y, z);
    };
    return pass;
  }
}

/** Nanoseconds of a dispatch, by timestamps around `repeats` of it in one pass. */
export async function timeDispatch(
  device: GPUDevice,
  { pipeline, bindGroup, workgroups }: Pick<Dispatch, 'pipeline' | 'bindGroup' | 'workgroups'>,
  repeats: number,
): Promise<number> {
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass({
    timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
  });
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  for (let i = 0; i < repeats; i++) pass.dispatchWorkgroups(...workgroups);
  pass.end();
  const nanoseconds = await elapsed(device, encoder, querySet);
  return nanoseconds / repeats;
}

/** Submits, and reads the nanoseconds between the two timestamps. */
async function elapsed(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  querySet: GPUQuerySet,
): Promise<number> {
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const resolved = device.createBuffer({ size: 16, usage: QUERY_RESOLVE | COPY_SRC });
  const staging = device.createBuffer({ size: 16, usage: COPY_DST | MAP_READ });
  encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const [begin, end] = new BigUint64Array(staging.getMappedRange().slice(0));
  for (const it of [resolved, staging, querySet]) it.destroy();
  return Number(end - begin);
}

function sizeOf(resource: GPUBindingResource): number {
  return 'buffer' in resource ? (resource.size ?? resource.buffer.size) : 0;
}
