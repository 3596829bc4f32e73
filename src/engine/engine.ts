/**
 * One model on one device: tokens in, tokens out. Knows no text, no messages, no file paths.
 * Prefill of a layout that reads keys and values from above is iterated (lckv.md section 3.2).
 */
import type { LayerGroup, ModelConfig } from '../model/config';
import type { TensorSource } from '../model/source';
import type { Sampling } from '../protocol';
import { KvCache } from './cache';
import type { Gpu } from './gpu';
import { dispatch } from './kernel';
import { Model, type KernelSet, type Stage } from './model';
import { Readback } from './readback';
import { sample } from './sample';
import { Snapshots } from './snapshots';
import { WeightLoader } from './weights';

/**
 * How a prompt is encoded. `exact`: iterate until the keys and values stop changing (at most one
 * pass per token). `sequential`: token by token. A number: that many passes (an approximation).
 */
export type Passes = 'exact' | 'sequential' | number;

export interface EngineOptions {
  /** Most tokens the cache holds; default: the model's maxPositions, at most 4096. */
  contextTokens?: number;
  /**
   * New tokens of one iterated block; default 128. On software devices the default is 1: there a
   * product for many tokens gains too little to pay for the passes, so prefill is sequential.
   */
  chunkTokens?: number;
  /** Split weights into pieces of at most this size; default: what the device can bind. */
  maxWeightBytes?: number;
  /** Device memory for the keys and values of earlier prompts; default 256 MiB. */
  snapshotBytes?: number;
  /** Kernel variants; default: by device. */
  kernelSet?: KernelSet;
  /** Called with the share of the weights that is on the device, 0 to 1. */
  onProgress?: (fraction: number) => void;
  signal?: AbortSignal;
}

export interface PrefillOptions {
  /** Default 'exact'. */
  passes?: Passes;
  signal?: AbortSignal;
}

/**
 * A pass that changes every row of keys and values by less than this share of its length ends an
 * exact prefill. The next pass could only repeat it: f32 rounding moves rows by about 1e-6.
 */
const CONVERGED = 1e-5;
const DEFAULT_CONTEXT_TOKENS = 4096;
/** Some forty prompts of a thousand tokens of the bundled model. */
const DEFAULT_SNAPSHOT_BYTES = 256 * 2 ** 20;

interface EngineParts {
  gpu: Gpu;
  model: Model;
  cache: KvCache;
  snapshots: Snapshots;
  weights: WeightLoader;
  config: ModelConfig;
  kernelSet: KernelSet;
  chunkTokens: number;
}

/** A loaded model with its condensed KV cache. One call at a time. */
export class Engine {
  readonly config: ModelConfig;
  /** Most tokens the cache holds. */
  readonly contextTokens: number;
  /** Bytes of weights on the device. */
  readonly weightBytes: number;
  readonly kernelSet: KernelSet;
  private readonly chunkTokens: number;
  private readonly gpu: Gpu;
  private readonly model: Model;
  private readonly cache: KvCache;
  private readonly weights: WeightLoader;
  private readonly readback: Readback;
  private readonly snapshots: Snapshots;
  /** The likeliest token after the last one of the cache. */
  private likeliest = -1;

  private constructor(parts: EngineParts) {
    this.gpu = parts.gpu;
    this.model = parts.model;
    this.cache = parts.cache;
    this.weights = parts.weights;
    this.config = parts.config;
    this.kernelSet = parts.kernelSet;
    this.chunkTokens = parts.chunkTokens;
    this.contextTokens = parts.cache.capacity;
    this.weightBytes = parts.weights.sizeBytes;
    this.readback = new Readback(parts.gpu.device);
    this.snapshots = parts.snapshots;
  }

  /** Puts the weights on the device and compiles every kernel. */
  static async load(gpu: Gpu, source: TensorSource, options: EngineOptions = {}): Promise<Engine> {
    const { config } = source;
    const { limits } = gpu.device;
    const kernelSet =
      options.kernelSet ??
      (!gpu.info.subgroups ? 'workgroup' : gpu.info.software ? 'software' : 'subgroup');
    const contextTokens =
      options.contextTokens ?? Math.min(config.maxPositions, DEFAULT_CONTEXT_TOKENS);
    const chunkTokens = options.chunkTokens ?? (gpu.info.software ? 1 : 128);
    const maxWeightBytes =
      options.maxWeightBytes ?? Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);

    gpu.device.pushErrorScope('out-of-memory');
    const cache = new KvCache(gpu.device, config, contextTokens);
    const weights = new WeightLoader(gpu.device, source, maxWeightBytes, options);
    const building = Model.build(gpu.device, config, cache, weights, chunkTokens, kernelSet);
    const built = await building.catch((error: unknown) => error);
    const shortage = await gpu.device.popErrorScope();
    if (shortage || !(built instanceof Model)) {
      weights.dispose();
      cache.dispose();
      if (!shortage) throw built;
      throw new Error(
        `The GPU has not enough memory for this model (${shortage.message}). ` +
          'Choose a smaller model or a shorter context, or close other programs that use the GPU.',
      );
    }
    const snapshotBytes = options.snapshotBytes ?? DEFAULT_SNAPSHOT_BYTES;
    const snapshots = new Snapshots(gpu.device, cache, snapshotBytes);
    const model = built;
    return new Engine({ gpu, model, cache, snapshots, weights, config, kernelSet, chunkTokens });
  }

  /** Token ids whose keys and values are held, oldest first. */
  get tokens(): readonly number[] {
    return this.cache.tokens;
  }

  /** Device memory that earlier prompts' keys and values take, in bytes. */
  get snapshotBytes(): number {
    return this.snapshots.sizeBytes;
  }

  /**
   * Readies the cache for a prompt: keeps what it shares with it, or brings back what an earlier
   * prompt left that shares more. Returns how many leading tokens are held then.
   */
  reuse(tokens: readonly number[]): number {
    return this.snapshots.reuse(tokens);
  }

  /** Keeps the first `length` tokens' keys and values: the exact state after them. */
  crop(length: number): void {
    this.cache.crop(length);
  }

  /**
   * Appends tokens to the cache and leaves the last one's logits on the device. When the signal
   * aborts, throws its reason; the cache then holds the tokens of the chunks that were finished.
   */
  async prefill(
    tokens: readonly number[],
    options: PrefillOptions = {},
  ): Promise<{ passes: number }> {
    let most = 0;
    for (const chunk of this.chunks(tokens, options.passes)) {
      const last = chunk.end === tokens.length;
      const passes = await this.forward(tokens.slice(chunk.begin, chunk.end), last, options);
      most = Math.max(most, passes);
    }
    return { passes: most };
  }

  /** As `prefill`, and returns the logits after each new token: f32 [vocabSize] each. */
  async prefillWithLogits(
    tokens: readonly number[],
    options: PrefillOptions = {},
  ): Promise<Float32Array[]> {
    const all: Float32Array[] = [];
    for (const chunk of this.chunks(tokens, options.passes)) {
      const count = chunk.end - chunk.begin;
      await this.forward(tokens.slice(chunk.begin, chunk.end), false, options);
      for (let row = 0; row < count; row++) {
        options.signal?.throwIfAborted();
        this.writeStep(this.cache.tokens.length - count, count, row);
        await this.runHead();
        all.push(await this.readLogits());
      }
    }
    return all;
  }

  /** Chooses the next token from the logits of the last one. Does not append it. */
  async pick(sampling: Sampling, random: () => number): Promise<number> {
    if (sampling.temperature <= 0) return this.likeliest;
    return sample(await this.readLogits(), sampling, random);
  }

  /** Logits after the last token: f32 [vocabSize]. */
  async readLogits(): Promise<Float32Array> {
    const size = this.config.vocabSize * 4;
    const encoder = this.gpu.device.createCommandEncoder({ label: 'logits' });
    const bytes = await this.readback.submit(encoder, [{ buffer: this.model.logits, size }]);
    return new Float32Array(bytes);
  }

  dispose(): void {
    this.model.dispose();
    this.snapshots.dispose();
    this.cache.dispose();
    this.weights.dispose();
    this.readback.dispose();
  }

  private chunks(tokens: readonly number[], passes: Passes = 'exact') {
    const room = this.contextTokens - this.cache.tokens.length;
    if (tokens.length === 0) throw new Error('There is no token to prefill.');
    if (tokens.length > room) {
      throw new Error(
        `${tokens.length} tokens do not fit the context: ${this.contextTokens} tokens, ` +
          `${this.cache.tokens.length} of them in use.`,
      );
    }
    const size = passes === 'sequential' ? 1 : this.chunkTokens;
    return Array.from({ length: Math.ceil(tokens.length / size) }, (_, i) => ({
      begin: i * size,
      end: Math.min(tokens.length, (i + 1) * size),
    }));
  }

  /** One chunk through all layers. Returns the most passes a group took. */
  private async forward(
    tokens: readonly number[],
    withHead: boolean,
    { passes = 'exact', signal }: PrefillOptions,
  ): Promise<number> {
    signal?.throwIfAborted();
    const count = tokens.length;
    const limit = typeof passes === 'number' ? passes : count;
    const tolerance = typeof passes === 'number' ? 0 : CONVERGED;
    const { device } = this.gpu;
    device.queue.writeBuffer(this.model.ids, 0, new Uint32Array(tokens));
    this.writeStep(this.cache.tokens.length, count, count - 1);

    let most = 1;
    let encoder = device.createCommandEncoder({ label: 'forward' });
    this.run(encoder, [this.model.embed], count);
    for (const group of this.config.groups) {
      if (group.cyclic) {
        const solved = await this.iterate(encoder, group, count, limit, tolerance, signal);
        most = Math.max(most, solved.passes);
        encoder = solved.encoder;
      } else {
        this.run(encoder, this.stages(group.first, group.end), count);
      }
    }
    if (withHead) {
      this.run(encoder, [this.model.head], 1);
      this.likeliest = await this.readLikeliest(encoder);
    } else {
      device.queue.submit([encoder.finish()]);
      // Never run ahead of the device: an abort must not wait for a queue of chunks.
      await device.queue.onSubmittedWorkDone();
    }
    this.gpu.assertHealthy();
    signal?.throwIfAborted();
    this.cache.append(tokens);
    return most;
  }

  /**
   * A group whose layers read keys and values from above: passes from the same input until those
   * no longer change. Early passes end at the top layer's keys and values (lckv.md section 3.2).
   */
  private async iterate(
    encoder: GPUCommandEncoder,
    group: LayerGroup,
    count: number,
    limit: number,
    tolerance: number,
    signal?: AbortSignal,
  ): Promise<{ encoder: GPUCommandEncoder; passes: number }> {
    const { device } = this.gpu;
    const { hidden, groupInput, hiddenRowBytes } = this.model;
    const top = group.end - 1;
    const upToTopKv = [...this.stages(group.first, top), ...this.model.layers[top].upToKv];
    const targets = this.upwardTargets(group);
    if (limit > 1) {
      encoder.copyBufferToBuffer(hidden, 0, groupInput, 0, count * hiddenRowBytes);
    }
    this.clearNewRows(encoder, targets, count);

    let passes = 1;
    this.run(encoder, upToTopKv, count);
    while (passes < limit) {
      device.queue.submit([encoder.finish()]);
      encoder = device.createCommandEncoder({ label: 'pass' });
      encoder.copyBufferToBuffer(groupInput, 0, hidden, 0, count * hiddenRowBytes);
      this.run(encoder, upToTopKv, count);
      passes++;
      const change = await this.readChange(encoder, targets, count);
      this.gpu.assertHealthy();
      signal?.throwIfAborted();
      encoder = device.createCommandEncoder({ label: 'after passes' });
      if (change <= tolerance) break;
    }
    this.run(encoder, this.model.layers[top].rest, count);
    return { encoder, passes };
  }

  /** Layers of the group that a layer below them reads. */
  private upwardTargets(group: LayerGroup): number[] {
    const targets = new Set<number>();
    for (let i = group.first; i < group.end; i++) {
      const { reads } = this.config.layers[i];
      if (reads > i) targets.add(reads);
    }
    return [...targets];
  }

  private clearNewRows(encoder: GPUCommandEncoder, layers: number[], count: number): void {
    const rowBytes = this.config.kvHeads * this.config.headDim * 4;
    const start = this.cache.tokens.length * rowBytes;
    for (const layer of layers) {
      encoder.clearBuffer(this.cache.keys.get(layer)!, start, count * rowBytes);
      encoder.clearBuffer(this.cache.values.get(layer)!, start, count * rowBytes);
    }
  }

  private stages(first: number, end: number): Stage[] {
    return this.model.layers.slice(first, end).flatMap(({ upToKv, rest }) => [...upToKv, ...rest]);
  }

  private run(encoder: GPUCommandEncoder, stages: Stage[], count: number): void {
    const pass = encoder.beginComputePass();
    for (const { one, many } of stages) {
      for (const kernel of count === 1 ? one : many) dispatch(pass, kernel, count);
    }
    pass.end();
  }

  private async runHead(): Promise<void> {
    const encoder = this.gpu.device.createCommandEncoder({ label: 'head' });
    this.run(encoder, [this.model.head], 1);
    this.likeliest = await this.readLikeliest(encoder);
  }

  private async readLikeliest(encoder: GPUCommandEncoder): Promise<number> {
    const bytes = await this.readback.submit(encoder, [{ buffer: this.model.ids, size: 4 }]);
    return new Uint32Array(bytes)[0];
  }

  /** The largest relative change of any new row of keys and values in the last pass. */
  private async readChange(
    encoder: GPUCommandEncoder,
    layers: number[],
    count: number,
  ): Promise<number> {
    const parts = layers.map((layer) => ({
      buffer: this.model.change.get(layer)!,
      size: count * 8,
    }));
    const pairs = new Float32Array(await this.readback.submit(encoder, parts));
    let largest = 0;
    for (let i = 0; i < pairs.length; i += 2) {
      largest = Math.max(largest, Math.sqrt(pairs[i] / Math.max(pairs[i + 1], 1e-30)));
    }
    return largest;
  }

  private writeStep(start: number, count: number, logitRow: number): void {
    const words = new Uint32Array([start, count, logitRow, 0]);
    this.gpu.device.queue.writeBuffer(this.model.step, 0, words);
  }
}
