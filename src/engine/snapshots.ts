/**
 * Keys and values of sequences that the cache has left: one for each document or place that was
 * worked on lately, so that coming back costs a copy on the device and no prefill. The condensed
 * cache makes them small: a thousand tokens of the bundled model are 6 MB.
 */
import { commonPrefix, type KvCache } from './cache';

interface Snapshot {
  tokens: readonly number[];
  /** Rows of every buffer of the cache, one buffer after the other. */
  buffer: GPUBuffer;
}

/** A sequence this close to a snapshot's is its next version and takes its place, in tokens. */
const SAME_PLACE = 32;
/** Below this, prefill is as quick as a copy and its bookkeeping, in tokens. */
const WORTH_RESTORING = 8;

/** Snapshots of one cache, the least recently used first, within a budget of device memory. */
export class Snapshots {
  private readonly device: GPUDevice;
  private readonly cache: KvCache;
  private budgetBytes: number;
  private held: Snapshot[] = [];
  private isDisposed = false;

  constructor(device: GPUDevice, cache: KvCache, budgetBytes: number) {
    this.device = device;
    this.cache = cache;
    this.budgetBytes = budgetBytes;
  }

  /** How many there are. */
  get count(): number {
    return this.held.length;
  }

  /** Device memory in use, in bytes. */
  get sizeBytes(): number {
    return this.held.reduce((sum, { buffer }) => sum + buffer.size, 0);
  }

  /**
   * Readies the cache for `tokens`: keeps what it shares with them, or brings back a snapshot that
   * shares more, and saves what is lost by that. Returns how many leading tokens are held then.
   */
  reuse(tokens: readonly number[]): number {
    const kept = this.cache.commonPrefix(tokens);
    const best = this.closest(tokens);
    const wanted = best && best.shared >= kept + WORTH_RESTORING ? best : null;
    if (this.cache.tokens.length - kept >= SAME_PLACE) this.save(wanted?.snapshot);
    if (!wanted) {
      this.cache.crop(kept);
      return kept;
    }
    this.restore(wanted.snapshot, wanted.shared);
    return wanted.shared;
  }

  dispose(): void {
    this.isDisposed = true;
    for (const { buffer } of this.held) buffer.destroy();
    this.held = [];
  }

  private closest(tokens: readonly number[]): { snapshot: Snapshot; shared: number } | null {
    let best = null;
    for (const snapshot of this.held) {
      const shared = commonPrefix(snapshot.tokens, tokens);
      if (!best || shared > best.shared) best = { snapshot, shared };
    }
    return best;
  }

  /**
   * Copies the cache's rows aside, in place of an older version of the same sequence and, where
   * memory is short, of those not used for longest; `wanted` stays.
   */
  private save(wanted?: Snapshot): void {
    const tokens = [...this.cache.tokens];
    const size = tokens.length * this.cache.rowBytes * this.cache.buffers.length;
    const others = this.held.filter((snapshot) => snapshot !== wanted);
    const room = this.budgetBytes - (wanted?.buffer.size ?? 0) - size;
    if (room < 0) return;
    let rest = others.reduce((sum, { buffer }) => sum + buffer.size, 0);
    for (const snapshot of others) {
      const changed = snapshot.tokens.length - commonPrefix(snapshot.tokens, tokens);
      if (changed >= SAME_PLACE && rest <= room) continue;
      rest -= snapshot.buffer.size;
      this.drop(snapshot);
    }
    for (const kind of ['out-of-memory', 'validation'] as const) this.device.pushErrorScope(kind);
    const buffer = this.device.createBuffer({
      label: 'snapshot',
      size,
      usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.copyParts(tokens.length, (encoder, part, at, bytes) => {
      encoder.copyBufferToBuffer(part, 0, buffer, at, bytes);
    });
    const errors = [this.device.popErrorScope(), this.device.popErrorScope()];
    void Promise.all(errors).then(
      (found) =>
        this.keep(
          { tokens, buffer },
          found.every((error) => error === null),
        ),
      () => {}, // the device is lost, and whoever owns it hears of that
    );
  }

  /** A snapshot counts once it is known to be whole; without room for it the budget shrinks. */
  private keep(snapshot: Snapshot, isWhole: boolean): void {
    if (isWhole && !this.isDisposed) this.held.push(snapshot);
    else snapshot.buffer.destroy();
    if (isWhole) return;
    this.budgetBytes = Math.floor(this.sizeBytes / 2);
    while (this.sizeBytes > this.budgetBytes) this.drop(this.held[0]);
  }

  private restore(snapshot: Snapshot, length: number): void {
    this.copyParts(snapshot.tokens.length, (encoder, part, at) => {
      encoder.copyBufferToBuffer(snapshot.buffer, at, part, 0, length * this.cache.rowBytes);
    });
    this.cache.replace(snapshot.tokens.slice(0, length));
    // Used just now, so the last in line to go.
    this.held = [...this.held.filter((other) => other !== snapshot), snapshot];
  }

  /** Calls `copy` for each buffer of the cache with where its `rows` rows lie in a snapshot. */
  private copyParts(
    rows: number,
    copy: (encoder: GPUCommandEncoder, part: GPUBuffer, at: number, bytes: number) => void,
  ): void {
    const encoder = this.device.createCommandEncoder({ label: 'snapshot' });
    const bytes = rows * this.cache.rowBytes;
    this.cache.buffers.forEach((part, i) => copy(encoder, part, i * bytes, bytes));
    this.device.queue.submit([encoder.finish()]);
  }

  private drop(snapshot: Snapshot): void {
    // Destroying is safe: work that was submitted before still finds the buffer.
    snapshot.buffer.destroy();
    this.held = this.held.filter((other) => other !== snapshot);
  }
}
