/** Read-only buffers and what is written to them, never far ahead of the device. */

/** Bytes that may wait in the driver's staging memory. */
const MAX_PENDING_BYTES = 64 << 20;

export class Uploader {
  /** Bytes of all buffers. */
  sizeBytes = 0;
  private pendingBytes = 0;
  private readonly device: GPUDevice;
  private readonly buffers: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.device = device;
  }

  create(label: string, size: number): GPUBuffer {
    const buffer = this.device.createBuffer({
      label,
      size: Math.max(16, Math.ceil(size / 4) * 4),
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
    this.sizeBytes += size;
    this.buffers.push(buffer);
    return buffer;
  }

  /** Writes at a multiple of 4 bytes; what is missing to one at the end is filled with zeros. */
  async write(
    buffer: GPUBuffer,
    offset: number,
    data: Uint8Array | Uint16Array | Float32Array,
  ): Promise<void> {
    let bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (bytes.length % 4 !== 0) {
      const even = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
      even.set(bytes);
      bytes = even;
    }
    this.device.queue.writeBuffer(buffer, offset, bytes);
    this.pendingBytes += bytes.length;
    if (this.pendingBytes < MAX_PENDING_BYTES) return;
    this.pendingBytes = 0;
    this.device.queue.submit([]);
    await this.device.queue.onSubmittedWorkDone();
  }

  dispose(): void {
    for (const buffer of this.buffers) buffer.destroy();
  }
}
