/**
 * A group of layers that reads keys and values from above, run again and again over a chunk
 * (lckv.md section 3.2), over fewer rows with each pass.
 */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import type { Gpu } from './gpu';
import type { Model } from './model';
import type { Recorder } from './recorder';
import { joined, type Stage } from './stage';

/** The layers of a group as dispatches, cut where a run may have to stop or go back. */
export interface GroupStages {
  cyclic: boolean;
  /** Up to the keys and values of the group's last layer that has to run for the cache's sake. */
  upToKv: Stage;
  /** What then remains of the group. */
  rest: Stage;
  /** Layers that a layer below them reads. */
  targets: number[];
  /** Keys and values of the target to begin with, from the group's input; null: zeros. */
  shortcut: Stage | null;
  /** No layer above the group writes to the cache. */
  isLastForCache: boolean;
}

export interface IterationOptions {
  /** Most passes. */
  passes: number;
  /** Relative change of a row's keys and values below which another pass is of no use. */
  tolerance: number;
  signal?: AbortSignal;
}

/** No rows of the models that were measured settle sooner (training/README.md), so that the device need not be asked. */
const SETTLING_PASSES = 4;
/** Fewer rows than this do not leave the iteration early: a product takes as long without them. */
const LEAVE_TOGETHER = 8;

export class Iteration {
  private readonly gpu: Gpu;
  private readonly model: Model;
  private readonly cache: KvCache;
  private readonly recorder: Recorder;

  constructor(gpu: Gpu, model: Model, cache: KvCache, recorder: Recorder) {
    this.gpu = gpu;
    this.model = model;
    this.cache = cache;
    this.recorder = recorder;
  }

  /**
   * Passes from the same input until the keys and values no longer change. A pass ends at the top
   * layer's keys and values. Leading rows that have settled leave: their top layer is finished,
   * and later passes are for the rows behind them. After n passes the first n rows are exact, so
   * what is left needs no more passes than it has rows. Returns how many passes it took.
   */
  async run(
    { upToKv, rest, targets, shortcut }: GroupStages,
    count: number,
    cacheOnly: boolean,
    options: IterationOptions,
  ): Promise<number> {
    const end = this.cache.tokens.length + count;
    let limit = Math.min(options.passes, count);
    if (limit > 1 || shortcut) this.copyRows('hidden', 0, 'groupInput', 0, count);
    if (shortcut) {
      this.recorder.run(shortcut.many, { count, end });
      this.copyRows('groupInput', 0, 'hidden', 0, count);
    } else {
      this.clearNewRows(targets, count);
    }

    let settled = 0;
    for (let pass = 1; ; pass++) {
      const active = count - settled;
      this.recorder.run(upToKv.many, { count: active, end });
      let leaving = active;
      if (pass < limit) {
        const exact = pass - settled;
        const isOpen = pass >= SETTLING_PASSES;
        const still = isOpen ? await this.settledRows(targets, active, options) : 0;
        leaving = Math.min(active, Math.max(exact, still));
        if (leaving < LEAVE_TOGETHER && leaving < active) leaving = 0;
      }
      const isWhole = leaving === count;
      if (leaving > 0 && !cacheOnly) {
        if (!isWhole) this.nextRows(settled, leaving);
        this.recorder.run(rest.many, { count: leaving, end: end - active + leaving });
        if (!isWhole) this.copyRows('hidden', 0, 'groupOutput', settled, leaving);
      }
      settled += leaving;
      if (settled === count) {
        if (!isWhole && !cacheOnly) {
          this.nextRows(0, count);
          this.copyRows('groupOutput', 0, 'hidden', 0, count);
        }
        return pass;
      }
      if (leaving > 0) {
        limit = Math.min(limit, pass + count - settled);
        this.nextRows(settled, count - settled);
      }
      this.copyRows('groupInput', settled, 'hidden', 0, count - settled);
    }
  }

  /**
   * One row after the other, each in one pass: exact, and the cheaper way where many rows cost
   * nearly as much together as one by one.
   */
  inTurn({ upToKv, rest }: GroupStages, count: number, cacheOnly: boolean): void {
    this.copyRows('hidden', 0, 'groupInput', 0, count);
    for (let row = 0; row < count; row++) {
      const rows = { count: 1, end: this.cache.tokens.length + row + 1 };
      this.nextRows(row, 1);
      this.copyRows('groupInput', row, 'hidden', 0, 1);
      this.recorder.run(upToKv.one, rows);
      if (cacheOnly) continue;
      this.recorder.run(rest.one, rows);
      this.copyRows('hidden', 0, 'groupOutput', row, 1);
    }
    this.nextRows(0, count);
    if (!cacheOnly) this.copyRows('groupOutput', 0, 'hidden', 0, count);
  }

  /** How many leading rows of a pass changed no more than the tolerance. */
  private async settledRows(
    layers: number[],
    active: number,
    { tolerance, signal }: IterationOptions,
  ): Promise<number> {
    const parts = layers.map((layer) => ({
      buffer: this.model.change.get(layer)!,
      size: active * 8,
    }));
    const pairs = new Float32Array(await this.recorder.read(parts));
    this.gpu.assertHealthy();
    signal?.throwIfAborted();
    for (let row = 0; row < active; row++) {
      for (let at = row * 2; at < pairs.length; at += active * 2) {
        if (!(pairs[at] <= tolerance ** 2 * pairs[at + 1])) return row;
      }
    }
    return active;
  }

  private clearNewRows(layers: number[], count: number): void {
    const { rowBytes, tokens } = this.cache;
    for (const parts of [this.cache.keys, this.cache.values]) {
      for (const layer of layers) {
        const { buffer, offset } = parts.get(layer)!;
        this.recorder.clear(buffer, offset + tokens.length * rowBytes, count * rowBytes);
      }
    }
  }

  private copyRows(
    source: 'hidden' | 'groupInput' | 'groupOutput',
    sourceRow: number,
    target: 'hidden' | 'groupInput' | 'groupOutput',
    targetRow: number,
    count: number,
  ): void {
    const { hiddenRowBytes: bytes } = this.model;
    const [from, to] = [this.model[source], this.model[target]];
    this.recorder.copy(from, sourceRow * bytes, to, targetRow * bytes, count * bytes);
  }

  /** What is recorded next is for rows [firstRow, firstRow + count) of the chunk. */
  private nextRows(firstRow: number, count: number): void {
    this.model.writeStep(this.recorder, this.cache.tokens.length + firstRow, count);
  }
}

export function groupStages(model: Model, config: ModelConfig): GroupStages[] {
  const lastKvLayer = config.layers.findLastIndex(({ computesKv }) => computesKv);
  const stages = (first: number, end: number): Stage[] =>
    model.layers.slice(first, end).flatMap(({ upToKv, rest }) => [...upToKv, ...rest]);
  return config.groups.map(({ first, end, cyclic, targets }) => {
    // A cyclic group ends with the topmost layer that is read from below.
    const cut = cyclic ? end - 1 : Math.max(first, Math.min(lastKvLayer, end - 1));
    const shortcut = model.shortcuts.get(targets[0]);
    return {
      cyclic,
      upToKv: joined([...stages(first, cut), ...model.layers[cut].upToKv]),
      rest: joined([...model.layers[cut].rest, ...stages(cut + 1, end)]),
      targets,
      shortcut: shortcut ? joined([shortcut, ...model.layers[targets[0]].upToKv]) : null,
      isLastForCache: lastKvLayer < end,
    };
  });
}
