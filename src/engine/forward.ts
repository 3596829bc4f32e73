/**
 * One chunk of new tokens through all layers, appended to the cache. A group of layers that reads
 * keys and values from above is iterated (lckv.md section 3.2), over fewer rows with each pass.
 */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import type { Gpu } from './gpu';
import { dispatch } from './kernel';
import type { Model } from './model';
import type { Stage } from './operations';
import { Readback } from './readback';

export interface ForwardOptions {
  /** What is wanted beside the cache: the last token's logits, every row's hidden state, nothing. */
  output: 'logits' | 'hidden' | 'nothing';
  /** Most passes of a cyclic group. */
  passes: number;
  /** Relative change of a row's keys and values below which another pass is of no use. */
  tolerance: number;
  signal?: AbortSignal;
}

/** The layers of a group as dispatches, cut where a run may have to stop or go back. */
interface GroupStages {
  cyclic: boolean;
  /** Up to the keys and values of the group's last layer that has to run for the cache's sake. */
  upToKv: Stage[];
  /** What then remains of the group. */
  rest: Stage[];
  /** Layers that a layer below them reads. */
  targets: number[];
  /** No layer above the group writes to the cache. */
  isLastForCache: boolean;
}

/** Fewer rows than this do not leave the iteration early: one tile of matmul.wgsl. */
const LEAVE_TOGETHER = 8;

export class Forward {
  private readonly gpu: Gpu;
  private readonly model: Model;
  private readonly cache: KvCache;
  private readonly config: ModelConfig;
  private readonly readback: Readback;
  private readonly groups: GroupStages[];
  private encoder: GPUCommandEncoder;

  constructor(gpu: Gpu, model: Model, cache: KvCache, config: ModelConfig) {
    this.gpu = gpu;
    this.model = model;
    this.cache = cache;
    this.config = config;
    this.readback = new Readback(gpu.device);
    this.groups = groupStages(model, config);
    this.encoder = gpu.device.createCommandEncoder();
  }

  /**
   * Runs the tokens and appends them to the cache. Returns the most passes a group took and, with
   * logits, the likeliest next token. Throws the signal's reason between passes; the cache is then
   * as it was.
   */
  async run(
    tokens: readonly number[],
    options: ForwardOptions,
  ): Promise<{ passes: number; likeliest: number }> {
    const { output, signal } = options;
    signal?.throwIfAborted();
    const count = tokens.length;
    this.encoder = this.gpu.device.createCommandEncoder({ label: 'forward' });
    this.gpu.device.queue.writeBuffer(this.model.ids, 0, new Uint32Array(tokens));
    this.writeStep(0, count);
    this.encode([this.model.embed], count);

    let passes = 1;
    for (const group of this.groups) {
      const cacheOnly = output === 'nothing' && group.isLastForCache;
      if (group.cyclic) {
        passes = Math.max(passes, await this.iterate(group, count, cacheOnly, options));
      } else {
        this.encode(cacheOnly ? group.upToKv : [...group.upToKv, ...group.rest], count);
      }
      if (cacheOnly) break;
    }
    const likeliest = await this.finish(output);
    signal?.throwIfAborted();
    this.cache.append(tokens);
    return { passes, likeliest };
  }

  /** Logits of one of the `count` rows that the last run left in `hidden`: f32 [vocabSize]. */
  async logitsOfRow(row: number, count: number): Promise<Float32Array> {
    this.encoder = this.gpu.device.createCommandEncoder({ label: 'head' });
    this.writeStep(-count, count, row);
    this.encode([this.model.head], 1);
    return this.readLogits(this.encoder);
  }

  /** The logits on the device: f32 [vocabSize]. */
  async readLogits(encoder = this.gpu.device.createCommandEncoder()): Promise<Float32Array> {
    const size = this.config.vocabSize * 4;
    return new Float32Array(
      await this.readback.submit(encoder, [{ buffer: this.model.logits, size }]),
    );
  }

  dispose(): void {
    this.readback.dispose();
  }

  /**
   * Passes from the same input until the keys and values no longer change. A pass ends at the top
   * layer's keys and values. Leading rows that have settled leave: their top layer is finished,
   * and later passes are for the rows behind them. After n passes the first n rows are exact.
   */
  private async iterate(
    { upToKv, rest, targets }: GroupStages,
    count: number,
    cacheOnly: boolean,
    options: ForwardOptions,
  ): Promise<number> {
    const limit = Math.min(options.passes, count);
    if (limit > 1) this.copyRows('hidden', 0, 'groupInput', 0, count);
    // A strict layer sees none of a single row.
    if (count > 1) this.clearNewRows(targets, count);

    let settled = 0;
    for (let pass = 1; ; pass++) {
      const active = count - settled;
      this.encode(upToKv, active);
      let leaving = active;
      if (pass < limit) {
        const exact = pass - settled;
        const still = await this.settledRows(targets, active, pass, options);
        leaving = Math.min(active, Math.max(exact, still));
        if (leaving < LEAVE_TOGETHER && leaving < active) leaving = 0;
      }
      const isWhole = leaving === count;
      if (leaving > 0 && !cacheOnly) {
        if (!isWhole) this.nextStep(settled, leaving);
        this.encode(rest, leaving);
        if (!isWhole) this.copyRows('hidden', 0, 'groupOutput', settled, leaving);
      }
      settled += leaving;
      if (settled === count) {
        if (!isWhole && !cacheOnly) {
          this.nextStep(0, count);
          this.copyRows('groupOutput', 0, 'hidden', 0, count);
        }
        return pass;
      }
      if (leaving > 0) this.nextStep(settled, count - settled);
      this.copyRows('groupInput', settled, 'hidden', 0, count - settled);
    }
  }

  /** How many leading rows of a pass changed no more than the tolerance. */
  private async settledRows(
    layers: number[],
    active: number,
    pass: number,
    { tolerance, signal }: ForwardOptions,
  ): Promise<number> {
    if (pass === 1) return 0; // the rows it is compared with are zeros
    const parts = layers.map((layer) => ({
      buffer: this.model.change.get(layer)!,
      size: active * 8,
    }));
    const pairs = new Float32Array(await this.readback.submit(this.encoder, parts));
    this.gpu.assertHealthy();
    signal?.throwIfAborted();
    this.encoder = this.gpu.device.createCommandEncoder({ label: 'pass' });
    for (let row = 0; row < active; row++) {
      for (let at = row * 2; at < pairs.length; at += active * 2) {
        if (!(pairs[at] <= tolerance ** 2 * pairs[at + 1])) return row;
      }
    }
    return active;
  }

  private clearNewRows(layers: number[], count: number): void {
    const { rowBytes, tokens } = this.cache;
    for (const buffers of [this.cache.keys, this.cache.values]) {
      for (const layer of layers) {
        this.encoder.clearBuffer(buffers.get(layer)!, tokens.length * rowBytes, count * rowBytes);
      }
    }
  }

  private encode(stages: Stage[], count: number): void {
    const pass = this.encoder.beginComputePass();
    for (const { one, many } of stages) {
      for (const kernel of count === 1 ? one : many) dispatch(pass, kernel, count);
    }
    pass.end();
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
    this.encoder.copyBufferToBuffer(from, sourceRow * bytes, to, targetRow * bytes, count * bytes);
  }

  /** Submits what is encoded; what comes next is for other rows of the chunk. */
  private nextStep(firstRow: number, count: number): void {
    this.gpu.device.queue.submit([this.encoder.finish()]);
    this.encoder = this.gpu.device.createCommandEncoder({ label: 'pass' });
    this.writeStep(firstRow, count);
  }

  /** Rows [firstRow, firstRow + count) of the chunk that starts where the cache ends. */
  private writeStep(firstRow: number, count: number, logitRow = count - 1): void {
    const words = [this.cache.tokens.length + firstRow, count, logitRow, 0];
    this.gpu.device.queue.writeBuffer(this.model.step, 0, new Uint32Array(words));
  }

  private async finish(output: ForwardOptions['output']): Promise<number> {
    let likeliest = -1;
    if (output === 'logits') {
      this.encode([this.model.head], 1);
      const bytes = await this.readback.submit(this.encoder, [{ buffer: this.model.ids, size: 4 }]);
      likeliest = new Uint32Array(bytes)[0];
    } else {
      this.gpu.device.queue.submit([this.encoder.finish()]);
      // Never run ahead of the device: an abort must not wait for a queue of chunks.
      await this.gpu.device.queue.onSubmittedWorkDone();
    }
    this.gpu.assertHealthy();
    return likeliest;
  }
}

function groupStages(model: Model, config: ModelConfig): GroupStages[] {
  const lastKvLayer = config.layers.findLastIndex(({ computesKv }) => computesKv);
  const stages = (first: number, end: number): Stage[] =>
    model.layers.slice(first, end).flatMap(({ upToKv, rest }) => [...upToKv, ...rest]);
  return config.groups.map(({ first, end, cyclic }) => {
    // A cyclic group ends with the topmost layer that is read from below.
    const cut = cyclic ? end - 1 : Math.max(first, Math.min(lastKvLayer, end - 1));
    const layers = config.layers.slice(first, end);
    const upward = layers.filter(({ reads }, i) => reads > first + i);
    return {
      cyclic,
      upToKv: [...stages(first, cut), ...model.layers[cut].upToKv],
      rest: [...model.layers[cut].rest, ...stages(cut + 1, end)],
      targets: [...new Set(upward.map(({ reads }) => reads))],
      isLastForCache: lastKvLayer < end,
    };
  });
}
