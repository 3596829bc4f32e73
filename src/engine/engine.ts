/**
 * One model on one device: tokens in, tokens out. Knows no text, no messages, no file paths.
 */
import type { ModelConfig } from '../model/config';
import type { TensorSource } from '../model/source';
import type { PrecisionChoice, Sampling } from '../protocol';
import { decodeBranches, MOST_BRANCHES } from './branches';
import { buildModel, type Built } from './build';
import type { KvCache } from './cache';
import { Decoder, Pace } from './decode';
import { Forward, type ForwardOptions } from './forward';
import type { Gpu } from './gpu';
import { cacheBytes, loadPlans, snapshotBudget } from './memory';
import type { Model } from './model';
import type { KernelSet } from './operations';
import type { MatvecShape } from './products';
import { argmax, chosen, largest, sample } from './sample';
import { Snapshots } from './snapshots';
import type { Token } from './token';
import type { WeightLoader, WeightTimes } from './weights';

/**
 * How a prompt is encoded. `exact`: iterate until the keys and values stop changing (at most one
 * pass per token). `trained`: iterate until they change little, at most a few passes more than the
 * model was trained with. `sequential`: token by token. A number: that many passes.
 */
export type Passes = 'exact' | 'trained' | 'sequential' | number;

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
  /** Device memory for the keys and values of earlier prompts; default: by device, 64–512 MiB. */
  snapshotBytes?: number;
  /** Format of the weights on the device; default 'auto', the checkpoint's own if it fits. */
  precision?: PrecisionChoice;
  /** Memory that the model must fit into, in bytes; null, the default, where nobody knows. */
  availableBytes?: number | null;
  /** Tokens that the device decodes in one submit; default: by how long a token takes. */
  decodeTokens?: number;
  /** Kernel variants; default: by device. */
  kernelSet?: KernelSet;
  /** How one row's product with a matrix is shared out; default: by kernel set. */
  matvec?: MatvecShape;
  /** Called with the share of the weights that is on the device, 0 to 1. */
  onProgress?: (fraction: number) => void;
  signal?: AbortSignal;
}

export interface PrefillOptions {
  /** Default 'exact'. */
  passes?: Passes;
  /** Share of its length by which a row's keys and values may still change when iteration ends. */
  tolerance?: number;
  signal?: AbortSignal;
}

/**
 * A pass that changes every row of keys and values by less than this share of its length ends an
 * exact prefill. The next pass could only repeat it: f32 rounding moves rows by about 1e-6.
 */
const CONVERGED = 1e-5;
/**
 * The same for `trained`. On trained models of two layouts, rows that were this near gave the same
 * likeliest token in 99 % of cases, and the loss had stopped falling two passes earlier.
 */
const SETTLED = 1e-2;
/** Passes beyond the trained number of forward and backward ones. */
const EXTRA_PASSES = 2;
const DEFAULT_CONTEXT_TOKENS = 4096;

interface EngineParts extends Built {
  gpu: Gpu;
  snapshots: Snapshots;
  config: ModelConfig;
  chunkTokens: number;
  pace: Pace;
  loadMs: number;
}

/** A loaded model with its condensed KV cache. One call at a time. */
export class Engine {
  readonly config: ModelConfig;
  /** Most tokens the cache holds. */
  readonly contextTokens: number;
  /** Bytes of weights on the device. */
  readonly weightBytes: number;
  /** What is smaller than was asked for because memory is short, in a sentence, or null. */
  readonly reduced: string | null;
  /** How long loading took and what of it, in milliseconds; the rest is compiling. */
  readonly loadTimes: WeightTimes & { totalMs: number };
  private readonly chunkTokens: number;
  private readonly model: Model;
  private readonly cache: KvCache;
  private readonly weights: WeightLoader;
  private readonly forward: Forward;
  private readonly snapshots: Snapshots;
  private readonly pace: Pace;
  /** The likeliest token after the last one of the cache. */
  private likeliest: Token = { id: -1, logProbability: 0 };

  private constructor(parts: EngineParts) {
    this.model = parts.model;
    this.cache = parts.cache;
    this.weights = parts.weights;
    this.config = parts.config;
    this.chunkTokens = parts.chunkTokens;
    this.contextTokens = parts.cache.capacity;
    this.weightBytes = parts.weights.sizeBytes;
    this.reduced = parts.plan.reduced;
    this.loadTimes = { ...parts.weights.times, totalMs: parts.loadMs };
    this.forward = new Forward(parts.gpu, parts.model, parts.cache, parts.config);
    this.snapshots = parts.snapshots;
    this.pace = parts.pace;
  }

  /** Puts the weights on the device and compiles every kernel. */
  static async load(gpu: Gpu, source: TensorSource, options: EngineOptions = {}): Promise<Engine> {
    const { config } = source;
    const { limits } = gpu.device;
    const set =
      options.kernelSet ??
      (!gpu.info.subgroups ? 'workgroup' : gpu.info.software ? 'software' : 'subgroup');
    const contextTokens =
      options.contextTokens ?? Math.min(config.maxPositions, DEFAULT_CONTEXT_TOKENS);
    const chunkTokens = options.chunkTokens ?? (gpu.info.software ? 1 : 128);
    const maxBindingBytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
    const { availableBytes = null, precision: choice = 'auto' } = options;
    const memory = { availableBytes, maxBindingBytes };
    const plans = loadPlans(source, choice, contextTokens, chunkTokens, memory);

    const begin = performance.now();
    const built = await buildModel(gpu, source, plans, {
      maxPieceBytes: options.maxWeightBytes ?? maxBindingBytes,
      onProgress: options.onProgress,
      signal: options.signal,
      chunkTokens,
      kernels: { set, matvec: options.matvec },
    });
    const { plan, cache, weights } = built;
    const loadMs = performance.now() - begin;
    const leftBytes =
      availableBytes === null
        ? null
        : availableBytes - weights.sizeBytes - cacheBytes(config, plan.contextTokens);
    const snapshotBytes = snapshotBudget(options.snapshotBytes, limits.maxBufferSize, leftBytes);
    const snapshots = new Snapshots(gpu.device, cache, snapshotBytes);
    const pace = new Pace(options.decodeTokens);
    return new Engine({ ...built, gpu, snapshots, config, chunkTokens, pace, loadMs });
  }

  /** Token ids whose keys and values are held, oldest first. */
  get tokens(): readonly number[] {
    return this.cache.tokens;
  }

  /** Earlier prompts whose keys and values are kept aside. */
  get snapshotCount(): number {
    return this.snapshots.count;
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
      const part = tokens.slice(chunk.begin, chunk.end);
      const output = chunk.end === tokens.length ? 'logits' : 'nothing';
      const { passes, likeliest } = await this.forward.run(
        part,
        forwardOptions(output, options, this.config),
      );
      if (likeliest) this.likeliest = likeliest;
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
      const part = tokens.slice(chunk.begin, chunk.end);
      await this.forward.run(part, forwardOptions('hidden', options, this.config));
      for (let row = 0; row < part.length; row++) {
        options.signal?.throwIfAborted();
        all.push(await this.forward.logitsOfRow(row, part.length));
      }
    }
    this.likeliest = chosen(all.at(-1)!, argmax(all.at(-1)!));
    return all;
  }

  /**
   * Yields the greedy continuation of the cache, which must end with a prefill: at most `most`
   * tokens. The cache then ends before the last token yielded, or some tokens later, as the device
   * decodes ahead. Throws the signal's reason within one batch of its abort.
   */
  async *decode(most: number, signal?: AbortSignal): AsyncGenerator<Token> {
    const position = this.cache.tokens.length;
    const end = Math.min(this.contextTokens, position + most - 1);
    const decoder = new Decoder(this.forward, this.pace, position, end);
    this.forward.writeSequence(position, [this.likeliest.id]);
    for (let tokens = [this.likeliest]; tokens.length > 0;) {
      signal?.throwIfAborted();
      decoder.startAhead();
      yield* tokens;
      signal?.throwIfAborted();
      const last = tokens.at(-1)!;
      tokens = await decoder.next();
      if (tokens.length === 0) return;
      this.cache.append([last, ...tokens.slice(0, -1)].map(({ id }) => id));
      this.likeliest = tokens.at(-1)!;
    }
  }

  /**
   * Alternatives to the greedy continuation, decoded together at little more than the price of one.
   * The cache must end with a prefill. Branch 0 is what `decode` yields; branch b begins with the
   * b-th likeliest token and goes on greedily. Yields the next token of every branch, ids[branch],
   * `most` times; the cache stays as it is. `count` is at most MOST_BRANCHES (8), and count * most
   * tokens must fit the context beside those held. Throws the signal's reason within one batch of
   * its abort.
   */
  async *branch(count: number, most: number, signal?: AbortSignal): AsyncGenerator<number[]> {
    const room = this.contextTokens - this.cache.tokens.length;
    if (count < 1 || count > MOST_BRANCHES) {
      throw new Error(`${count} branches were asked for; expected 1 to ${MOST_BRANCHES}.`);
    }
    if (count * most > room) {
      throw new Error(
        `${count} branches of ${most} tokens do not fit the context: ${this.contextTokens} ` +
          `tokens, ${room} of them free.`,
      );
    }
    const firsts = largest(await this.readLogits(), count);
    signal?.throwIfAborted();
    yield* decodeBranches(this.forward, this.cache, firsts, most, signal);
  }

  /** Chooses the next token from the logits of the last one. Does not append it. */
  async pick(sampling: Sampling, random: () => number): Promise<Token> {
    if (sampling.temperature <= 0) return this.likeliest;
    const logits = await this.readLogits();
    return chosen(logits, sample(logits, sampling, random));
  }

  /** Logits after the last token: f32 [vocabSize]. */
  async readLogits(): Promise<Float32Array> {
    return this.forward.readLogits();
  }

  dispose(): void {
    this.model.dispose();
    this.snapshots.dispose();
    this.cache.dispose();
    this.weights.dispose();
    this.forward.dispose();
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
}

function forwardOptions(
  output: ForwardOptions['output'],
  { passes = 'exact', tolerance, signal }: PrefillOptions,
  { trainedPasses }: ModelConfig,
): ForwardOptions {
  if (typeof passes === 'number') return { output, passes, tolerance: tolerance ?? 0, signal };
  if (passes === 'trained') {
    const most = trainedPasses + EXTRA_PASSES;
    return { output, passes: most, tolerance: tolerance ?? SETTLED, signal };
  }
  return { output, passes: Infinity, tolerance: tolerance ?? CONVERGED, signal };
}
