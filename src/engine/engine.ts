/**
 * One model on one device: tokens in, tokens out. Knows no text, no messages, no file paths.
 */
import type { ModelConfig } from '../model/config';
import type { TensorSource } from '../model/source';
import type { Sampling } from '../protocol';
import type { Sentence } from '../sentence';
import { branchesOf, decodeBranches } from './branches';
import type { KvCache } from './cache';
import { Decoder, Pace } from './decode';
import { Forward } from './forward';
import type { Gpu } from './gpu';
import { loadParts, type EngineOptions, type EngineParts } from './load';
import type { Model } from './model';
import { forwardOptions, type Passes, type PrefillOptions } from './passes';
import { argmax, chosen, largest, sample } from './sample';
import type { Snapshots } from './snapshots';
import { checkIds, type Token } from './token';
import type { WeightLoader, WeightTimes } from './weights';

export type { EngineOptions } from './load';
export type { Passes, PrefillOptions } from './passes';

/** A loaded model with its condensed KV cache. One call at a time. */
export class Engine {
  readonly config: ModelConfig;
  /** Most tokens the cache holds. */
  readonly contextTokens: number;
  /** Bytes of weights on the device. */
  readonly weightBytes: number;
  /** What is smaller than was asked for because memory is short, in a sentence, or null. */
  readonly reduced: Sentence | null;
  /** How long loading took and what of it, in milliseconds; the rest is compiling. */
  readonly loadTimes: WeightTimes & { totalMs: number };
  private readonly gpu: Gpu;
  private readonly chunkTokens: number;
  private readonly model: Model;
  private readonly cache: KvCache;
  private readonly weights: WeightLoader;
  private readonly forward: Forward;
  private readonly snapshots: Snapshots;
  private readonly pace: Pace;
  /** The likeliest token after the last one of the cache. */
  private likeliest: Token = { id: -1, logProbability: 0 };

  private constructor(parts: EngineParts, pace: Pace) {
    this.gpu = parts.gpu;
    this.model = parts.model;
    this.cache = parts.cache;
    this.weights = parts.weights;
    this.config = parts.config;
    this.chunkTokens = parts.chunkTokens;
    this.contextTokens = parts.cache.capacity;
    this.weightBytes = parts.weights.sizeBytes;
    this.reduced = parts.plan.reduced;
    this.loadTimes = { ...parts.weights.times, totalMs: parts.loadMs };
    this.forward = new Forward(parts.gpu, parts.model, parts.cache, parts.config, parts.runsInTurn);
    this.snapshots = parts.snapshots;
    this.pace = pace;
  }

  /** Puts the weights on the device and compiles every kernel. */
  static async load(gpu: Gpu, source: TensorSource, options: EngineOptions = {}): Promise<Engine> {
    const parts = await loadParts(gpu, source, options);
    return new Engine(parts, new Pace(options.decodeTokens));
  }

  /** Token ids whose keys and values are held, oldest first. */
  get tokens(): readonly number[] {
    return this.cache.tokens;
  }

  /** Most branches or sequences that decode together. */
  get mostTogether(): number {
    return this.model.mostRows;
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
    const run = this.forward.decode.bind(this.forward);
    const decoder = new Decoder(run, this.pace, position, end);
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
   * `most` times; the cache stays as it is. `count` is at most `mostTogether`, and count * most
   * tokens must fit the context beside those held. Throws the signal's reason within one batch of
   * its abort.
   */
  async *branch(count: number, most: number, signal?: AbortSignal): AsyncGenerator<number[]> {
    this.checkTogether(count, most, this.contextTokens - this.cache.tokens.length);
    const firsts = largest(await this.readLogits(), count);
    signal?.throwIfAborted();
    const layout = branchesOf(this.cache, count, most);
    yield* decodeBranches(this.forward, this.pace, layout, firsts, most, signal);
  }

  /**
   * Greedy continuations of several prompts of one length, decoded together. Yields the next token
   * of every sequence, `most` times. They are at most `mostTogether`, and each takes prompt + most
   * tokens of the context, which is empty before and after. Throws the signal's reason within one
   * batch of its abort.
   */
  async *decodeTogether(
    prompts: readonly (readonly number[])[],
    most: number,
    options: PrefillOptions = {},
  ): AsyncGenerator<number[]> {
    const [{ length: start }] = prompts;
    if (prompts.some((prompt) => prompt.length !== start)) {
      throw new Error('The prompts differ in length; expected one length for all of them.');
    }
    const slots = start + most;
    this.checkTogether(prompts.length, slots, this.contextTokens);
    const firsts: number[] = [];
    // From the last one on, as each is encoded in the slots of the first.
    for (let i = prompts.length - 1; i >= 0; i--) {
      this.crop(0);
      await this.prefill(prompts[i], options);
      firsts.unshift(this.likeliest.id);
      if (i > 0) this.cache.copyRows(this.gpu.device, start, i * slots);
    }
    this.crop(0);
    const layout = { from: 0, start, count: prompts.length, slots };
    yield* decodeBranches(this.forward, this.pace, layout, firsts, most, options.signal);
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

  private checkTogether(count: number, slots: number, room: number): void {
    if (count < 1 || count > this.mostTogether) {
      throw new Error(`${count} branches were asked for; expected 1 to ${this.mostTogether}.`);
    }
    if (count * slots > room) {
      throw new Error(
        `${count} branches of ${slots} tokens do not fit the context: ${this.contextTokens} ` +
          `tokens, ${room} of them free.`,
      );
    }
  }

  private chunks(tokens: readonly number[], passes: Passes = 'exact') {
    const room = this.contextTokens - this.cache.tokens.length;
    checkIds(tokens, this.config.vocabSize);
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
