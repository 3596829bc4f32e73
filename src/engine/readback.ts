/**
 * Bytes from device buffers to the CPU, through staging buffers that are used again.
 */

/** `size` bytes of a buffer from `offset`, 0 if not given; both multiples of 4. */
export interface ReadPart {
  buffer: GPUBuffer;
  offset?: number;
  size: number;
}

const SMALLEST_STAGING_BYTES = 4096;

export class Readback {
  private readonly device: GPUDevice;
  /** Staging buffers that no read is using. */
  private readonly free: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.device = device;
  }

  /**
   * Submits the encoder with copies of the parts appended; resolves with them end to end. Several
   * reads may be under way.
   */
  async submit(encoder: GPUCommandEncoder, parts: ReadPart[]): Promise<ArrayBuffer> {
    const total = parts.reduce((sum, { size }) => sum + size, 0);
    const staging = this.take(total);
    let at = 0;
    for (const { buffer, offset = 0, size } of parts) {
      encoder.copyBufferToBuffer(buffer, offset, staging, at, size);
      at += size;
    }
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ, 0, total);
    const bytes = staging.getMappedRange(0, total).slice(0);
    staging.unmap();
    this.free.push(staging);
    return bytes;
  }

  dispose(): void {
    for (const buffer of this.free) buffer.destroy();
  }

  private take(size: number): GPUBuffer {
    const found = this.free.findIndex((buffer) => buffer.size >= size);
    if (found >= 0) return this.free.splice(found, 1)[0];
    // One that is too small would only be in the way of the next search.
    this.free.pop()?.destroy();
    return this.device.createBuffer({
      label: 'readback',
      size: Math.max(size, SMALLEST_STAGING_BYTES),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }
}
