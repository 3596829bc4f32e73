/**
 * Bytes from device buffers to the CPU, through one staging buffer that grows when needed.
 */

/** The first `size` bytes of a buffer; `size` is a multiple of 4. */
export interface ReadPart {
  buffer: GPUBuffer;
  size: number;
}

export class Readback {
  private readonly device: GPUDevice;
  private staging: GPUBuffer | null = null;

  constructor(device: GPUDevice) {
    this.device = device;
  }

  /** Submits the encoder with copies of the parts appended; resolves with them end to end. */
  async submit(encoder: GPUCommandEncoder, parts: ReadPart[]): Promise<ArrayBuffer> {
    const total = parts.reduce((sum, { size }) => sum + size, 0);
    const staging = this.ensure(total);
    let offset = 0;
    for (const { buffer, size } of parts) {
      encoder.copyBufferToBuffer(buffer, 0, staging, offset, size);
      offset += size;
    }
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ, 0, total);
    const bytes = staging.getMappedRange(0, total).slice(0);
    staging.unmap();
    return bytes;
  }

  dispose(): void {
    this.staging?.destroy();
  }

  private ensure(size: number): GPUBuffer {
    if (!this.staging || this.staging.size < size) {
      this.staging?.destroy();
      this.staging = this.device.createBuffer({
        label: 'readback',
        size: Math.max(size, 4096),
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      });
    }
    return this.staging;
  }
}
