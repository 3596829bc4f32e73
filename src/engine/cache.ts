/**
 * The condensed KV cache: keys and values of the layers that compute them, and the token ids
 * they belong to. Cropping only forgets ids; rows past the end are overwritten later.
 */
import type { ModelConfig } from '../model/config';

export class KvCache {
  /** Keys and values of each KV layer, by layer number: f32 [capacity][kvHeads * headDim]. */
  readonly keys = new Map<number, GPUBuffer>();
  readonly values = new Map<number, GPUBuffer>();
  /** Most tokens held. */
  readonly capacity: number;
  private held: number[] = [];

  constructor(device: GPUDevice, config: ModelConfig, capacity: number) {
    this.capacity = capacity;
    const size = capacity * config.kvHeads * config.headDim * 4;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    config.layers.forEach((layer, i) => {
      if (!layer.computesKv) return;
      this.keys.set(i, device.createBuffer({ label: `keys ${i}`, size, usage }));
      this.values.set(i, device.createBuffer({ label: `values ${i}`, size, usage }));
    });
  }

  /** Token ids whose keys and values are held, oldest first. */
  get tokens(): readonly number[] {
    return this.held;
  }

  append(tokens: readonly number[]): void {
    this.held.push(...tokens);
  }

  /** Keeps the first `length` tokens: by causality the exact state after them (lckv.md 3.7). */
  crop(length: number): void {
    this.held.length = Math.min(this.held.length, length);
  }

  /** How many leading ids `tokens` shares with those held. */
  commonPrefix(tokens: readonly number[]): number {
    const most = Math.min(tokens.length, this.held.length);
    let length = 0;
    while (length < most && tokens[length] === this.held[length]) length++;
    return length;
  }

  dispose(): void {
    for (const buffer of [...this.keys.values(), ...this.values.values()]) buffer.destroy();
  }
}
