/**
 * Read-only parts of buffers and what is written to them, never far ahead of the device. They lie end
 * to end in one buffer where the device can bind that, so that one kernel can read them all.
 */
import { aligned, type Range } from './kernel';

/** Bytes that may wait in the driver's staging memory. */
const MAX_PENDING_BYTES = 64 << 20;

export class Uploader {
  /** Bytes of all buffers. */
  sizeBytes = 0;
  private pendingBytes = 0;
  private readonly device: GPUDevice;
  private readonly buffers: GPUBuffer[] = [];
  /** What `create` takes from first, and where its free part begins. */
  readonly whole: GPUBuffer | null;
  private wholeUsed = 0;

  /** wholeBytes: size of the one buffer for everything; 0: each part has its own. */
  constructor(device: GPUDevice, wholeBytes: number) {
    this.device = device;
    this.whole = wholeBytes > 0 ? this.createBuffer('weights', wholeBytes) : null;
  }

  create(label: string, size: number): Range {
    const bytes = Math.max(16, Math.ceil(size / 4) * 4);
    this.sizeBytes += size;
    const offset = this.wholeUsed;
    if (this.whole && offset + bytes <= this.whole.size) {
      this.wholeUsed = aligned(offset + bytes);
      return { buffer: this.whole, offset, size: bytes };
    }
    return { buffer: this.createBuffer(label, bytes), offset: 0, size: bytes };
  }

  /** Writes at a multiple of 4 bytes; what is missing to one at the end is filled with zeros. */
  async write(
    { buffer, offset: begin }: Range,
    offset: number,
    data: Uint8Array | Uint16Array | Float32Array,
  ): Promise<void> {
    let bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (bytes.length % 4 !== 0) {
      const even = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
      even.set(bytes);
      bytes = even;
    }
    this.device.queue.writeBuffer(buffer, begin + offset, bytes);
    this.pendingBytes += bytes.length;
    if (this.pendingBytes < MAX_PENDING_BYTES) return;
    this.pendingBytes = 0;
    this.device.queue.submit([]);
    await this.device.queue.onSubmittedWorkDone();
  }

  dispose(): void {
    for (const buffer of this.buffers) buffer.destroy();
  }

  private createBuffer(label: string, size: number): GPUBuffer {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const buffer = this.device.createBuffer({ label, size, usage });
    this.buffers.push(buffer);
    return buffer;
  }
}
