/**
 * The condensed KV cache: keys and values of the layers that compute them, and the token ids
 * they belong to. Cropping only forgets ids; rows past the end are overwritten later.
 */
import type { ModelConfig } from '../model/config';
import { aligned, bindableBytes, type Range } from './kernel';

/** Keys and values are f32 on the device. */
export const KV_NUMBER_BYTES = 4;

export class KvCache {
  /** Keys and values of each KV layer, by layer number: f32 [capacity][kvHeads * headDim]. */
  readonly keys = new Map<number, Range>();
  readonly values = new Map<number, Range>();
  /** The one buffer that holds all of them, or null where a device cannot bind so large a one. */
  readonly whole: GPUBuffer | null;
  /** Most tokens held. */
  readonly capacity: number;
  /** Bytes of one token's keys (or values) of one layer. */
  readonly rowBytes: number;
  private readonly buffers: GPUBuffer[] = [];
  private held: number[] = [];

  /** isWhole: all in one buffer, if the device can bind that. */
  constructor(device: GPUDevice, config: ModelConfig, capacity: number, isWhole: boolean) {
    this.capacity = capacity;
    this.rowBytes = config.kvHeads * config.headDim * KV_NUMBER_BYTES;
    const size = capacity * this.rowBytes;
    const stride = aligned(size);
    const layers = [...config.layers.keys()].filter((i) => config.layers[i].computesKv);
    const create = (label: string, bytes: number) => {
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      const buffer = device.createBuffer({ label, size: bytes, usage });
      this.buffers.push(buffer);
      return buffer;
    };
    const total = 2 * layers.length * stride;
    const isOne = isWhole && total <= bindableBytes(device);
    this.whole = isOne ? create('keys and values', total) : null;
    const part = (label: string, index: number): Range =>
      this.whole
        ? { buffer: this.whole, offset: index * stride, size }
        : { buffer: create(label, size), offset: 0, size };
    layers.forEach((layer, i) => {
      this.keys.set(layer, part(`keys ${layer}`, 2 * i));
      this.values.set(layer, part(`values ${layer}`, 2 * i + 1));
    });
  }

  /** Token ids whose keys and values are held, oldest first. */
  get tokens(): readonly number[] {
    return this.held;
  }

  /** All keys and all values, in a fixed order. */
  get parts(): Range[] {
    return [...this.keys.values(), ...this.values.values()];
  }

  /** Says whose rows are held now, after they were brought back from elsewhere. */
  replace(tokens: readonly number[]): void {
    this.held = [...tokens];
  }

  append(tokens: readonly number[]): void {
    this.held.push(...tokens);
  }

  /** Keeps the first `length` tokens: by causality the exact state after them (lckv.md 3.7). */
  crop(length: number): void {
    this.held.length = Math.min(this.held.length, length);
  }

  /** Copies the first `count` rows of everything to the slots from `target` on, past those rows. */
  copyRows(device: GPUDevice, count: number, target: number): void {
    const size = count * this.rowBytes;
    const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const between = device.createBuffer({ label: 'rows on their way', size, usage });
    const encoder = device.createCommandEncoder({ label: 'copy rows' });
    for (const { buffer, offset } of this.parts) {
      encoder.copyBufferToBuffer(buffer, offset, between, 0, size);
      encoder.copyBufferToBuffer(between, 0, buffer, offset + target * this.rowBytes, size);
    }
    device.queue.submit([encoder.finish()]);
    between.destroy();
  }

  /** How many leading ids `tokens` shares with those held. */
  commonPrefix(tokens: readonly number[]): number {
    return commonPrefix(this.held, tokens);
  }

  dispose(): void {
    for (const buffer of this.buffers) buffer.destroy();
  }
}

/** How many leading ids two sequences share. */
export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}
