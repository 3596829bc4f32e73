/**
 * Keys and values of sequences that the cache has left: one for each document or place that was
 * worked on lately, so that coming back costs a copy on the device and no prefill. The condensed
 * cache makes them small: a thousand tokens of the bundled model are 6 MB. What two sequences begin
 * with alike (header and snippets, say) is kept once, in pages that both hold.
 */
import { commonPrefix, type KvCache } from './cache';
import { watchErrors } from './errors';

/** Some consecutive rows of every buffer of the cache, one buffer after the other. */
interface Page {
  buffer: GPUBuffer;
  rows: number;
  /** Snapshots that it is part of. */
  holders: number;
}

interface Snapshot {
  tokens: readonly number[];
  /** Of PAGE_TOKENS rows each, but for the last one. */
  pages: readonly Page[];
}

/** Most rows of a page: sequences share whole pages. */
const PAGE_TOKENS = 32;
/** A sequence this close to a snapshot's is its next version and takes its place, in tokens. */
const SAME_PLACE = 32;
/** Below this, prefill is as quick as a copy and its bookkeeping, in tokens. */
const WORTH_RESTORING = 8;

/** Snapshots of one cache, the least recently used first, within a budget of device memory. */
export class Snapshots {
  private readonly device: GPUDevice;
  private readonly cache: KvCache;
  private budgetBytes: number;
  private usedBytes = 0;
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
    return this.usedBytes;
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
    for (const { pages } of this.held) this.release(pages);
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
   * Copies the cache's rows aside, those that no snapshot has: in place of older versions of the
   * same sequence and, where memory is short, of those not used for longest; `wanted` stays.
   */
  private save(wanted?: Snapshot): void {
    const tokens = [...this.cache.tokens];
    const alike = this.closest(tokens);
    const shared = alike?.snapshot.pages.slice(0, Math.floor(alike.shared / PAGE_TOKENS)) ?? [];
    const sharedRows = shared.length * PAGE_TOKENS;
    const size = (tokens.length - sharedRows) * this.bytesPerToken;
    const staying = new Set([...shared, ...(wanted?.pages ?? [])]);
    const stayingRows = [...staying].reduce((sum, { rows }) => sum + rows, 0);
    if (stayingRows * this.bytesPerToken + size > this.budgetBytes) return;

    for (const page of shared) page.holders++;
    const others = this.held.filter((snapshot) => snapshot !== wanted);
    const isOlder = (snapshot: Snapshot) =>
      snapshot.tokens.length - commonPrefix(snapshot.tokens, tokens) < SAME_PLACE;
    for (const snapshot of others.filter(isOlder)) this.drop(snapshot);
    for (const snapshot of others.filter((other) => !isOlder(other))) {
      if (this.usedBytes + size <= this.budgetBytes) break;
      this.drop(snapshot);
    }

    const errors = watchErrors(this.device);
    const pages = [...shared, ...this.copyAside(sharedRows, tokens.length)];
    void errors().then(
      ({ shortage, fault }) => this.keep({ tokens, pages }, shortage === null && fault === null),
      () => {}, // the device is lost, and whoever owns it hears of that
    );
  }

  /** A snapshot counts once it is known to be whole; without room for it the budget shrinks. */
  private keep(snapshot: Snapshot, isWhole: boolean): void {
    if (isWhole && !this.isDisposed) this.held.push(snapshot);
    else this.release(snapshot.pages);
    if (isWhole) return;
    this.budgetBytes = Math.floor(this.usedBytes / 2);
    while (this.held.length > 0 && this.usedBytes > this.budgetBytes) this.drop(this.held[0]);
  }

  /** The cache's rows [begin, end) as pages. */
  private copyAside(begin: number, end: number): Page[] {
    const { parts, rowBytes } = this.cache;
    const encoder = this.device.createCommandEncoder({ label: 'snapshot' });
    const pages: Page[] = [];
    for (let first = begin; first < end; first += PAGE_TOKENS) {
      const rows = Math.min(PAGE_TOKENS, end - first);
      const buffer = this.device.createBuffer({
        label: 'snapshot',
        size: rows * this.bytesPerToken,
        usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
      });
      for (const [i, part] of parts.entries()) {
        const [source, at] = [part.offset + first * rowBytes, i * rows * rowBytes];
        encoder.copyBufferToBuffer(part.buffer, source, buffer, at, rows * rowBytes);
      }
      this.usedBytes += buffer.size;
      pages.push({ buffer, rows, holders: 1 });
    }
    this.device.queue.submit([encoder.finish()]);
    return pages;
  }

  /** Brings back the first `length` rows, but for those that the cache still has. */
  private restore(snapshot: Snapshot, length: number): void {
    const { parts, rowBytes } = this.cache;
    const kept = this.cache.commonPrefix(snapshot.tokens);
    const encoder = this.device.createCommandEncoder({ label: 'snapshot' });
    for (const [i, { buffer, rows }] of snapshot.pages.entries()) {
      const first = i * PAGE_TOKENS;
      const begin = Math.max(first, kept);
      const end = Math.min(first + rows, length);
      if (begin >= end) continue;
      for (const [j, part] of parts.entries()) {
        const at = (j * rows + begin - first) * rowBytes;
        const target = part.offset + begin * rowBytes;
        encoder.copyBufferToBuffer(buffer, at, part.buffer, target, (end - begin) * rowBytes);
      }
    }
    this.device.queue.submit([encoder.finish()]);
    this.cache.replace(snapshot.tokens.slice(0, length));
    // Used just now, so the last in line to go.
    this.held = [...this.held.filter((other) => other !== snapshot), snapshot];
  }

  private drop(snapshot: Snapshot): void {
    this.release(snapshot.pages);
    this.held = this.held.filter((other) => other !== snapshot);
  }

  /** A snapshot lets go of pages; one that nobody holds goes. */
  private release(pages: readonly Page[]): void {
    for (const page of pages) {
      if (--page.holders > 0) continue;
      this.usedBytes -= page.buffer.size;
      // Destroying is safe: work that was submitted before still finds the buffer.
      page.buffer.destroy();
    }
  }

  /** Bytes of one token's keys and values in all layers. */
  private get bytesPerToken(): number {
    return this.cache.rowBytes * this.cache.parts.length;
  }
}
