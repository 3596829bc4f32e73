/**
 * Forward passes: a chunk of new tokens through all layers, appended to the cache, and several
 * greedy tokens one after the other without the CPU.
 */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import type { Gpu } from './gpu';
import { groupStages, Iteration, type GroupStages } from './iteration';
import type { Kernel } from './kernel';
import type { Model } from './model';
import { Recorder } from './recorder';
import { joined, type Stage } from './stage';
import { Together } from './together';
import { areChosen, TOKEN_BYTES, unpackTokens, type Token } from './token';

export interface ForwardOptions {
  /** What is wanted beside the cache: the last token's logits, every row's hidden state, nothing. */
  output: 'logits' | 'hidden' | 'nothing';
  /** Most passes of a cyclic group. */
  passes: number;
  /** Relative change of a row's keys and values below which another pass is of no use. */
  tolerance: number;
  /** No number of passes was asked for: the exact result will do, however it is come by. */
  isExactWelcome: boolean;
  signal?: AbortSignal;
}

/** Chunks of at most this many tokens run token by token where layers read from above. */
const SHORT_ROWS = 8;

/** As many passes over several rows cost less than the rows one by one even where those run in turn (docs/LOG.md). */
const FEW_PASSES = 3;

/** For kernels that take one row of any pass. */
const ONE_ROW = { count: 1, end: 0 };

export class Forward {
  private readonly gpu: Gpu;
  private readonly model: Model;
  private readonly cache: KvCache;
  private readonly config: ModelConfig;
  private readonly recorder: Recorder;
  private readonly groups: GroupStages[];
  /** A whole pass: embedding, layers, head. */
  private readonly everything: Stage;
  /** Steps of several sequences. */
  readonly together: Together;
  private readonly iteration: Iteration;
  private readonly runsInTurn: boolean;

  /** runsInTurn: rows of a cyclic group are run one after the other where the result may be exact and takes many passes. */
  constructor(gpu: Gpu, model: Model, cache: KvCache, config: ModelConfig, runsInTurn = false) {
    this.gpu = gpu;
    this.model = model;
    this.cache = cache;
    this.config = config;
    this.recorder = new Recorder(gpu.device);
    this.groups = groupStages(model, config);
    const layers = model.layers.flatMap(({ upToKv, rest }) => [...upToKv, ...rest]);
    this.everything = joined([model.embed, ...layers, model.head]);
    this.together = new Together(gpu, model, config, this.recorder, this.everything);
    this.runsInTurn = runsInTurn;
    this.iteration = new Iteration(gpu, model, cache, this.recorder);
  }

  /**
   * Runs the tokens and appends them to the cache. Returns the most passes a group took and, with
   * logits, the likeliest next token. Throws the signal's reason between passes; the cache is then
   * as it was.
   */
  async run(
    tokens: readonly number[],
    options: ForwardOptions,
  ): Promise<{ passes: number; likeliest: Token | null }> {
    const { output, signal } = options;
    signal?.throwIfAborted();
    const count = tokens.length;
    const start = this.cache.tokens.length;
    this.recorder.reset();
    this.writeSequence(start, tokens);
    const inTurn = this.runsInTurn && options.isExactWelcome && options.passes > FEW_PASSES;
    if (!inTurn && this.isShort(count, options)) {
      this.runOneByOne(start, count);
      return this.appended(tokens, options, 1);
    }
    this.model.writeStep(this.recorder, start, count);
    const rows = { count, end: start + count };
    const kind = count === 1 ? 'one' : 'many';
    this.recorder.run(this.model.embed[kind], rows);

    let passes = 1;
    for (const group of this.groups) {
      const cacheOnly = output === 'nothing' && group.isLastForCache;
      if (group.cyclic && count > 1 && inTurn) {
        this.iteration.inTurn(group, count, cacheOnly);
      } else if (group.cyclic && count > 1) {
        passes = Math.max(passes, await this.iteration.run(group, count, cacheOnly, options));
      } else {
        this.recorder.run(group.upToKv[kind], rows);
        if (!cacheOnly) this.recorder.run(group.rest[kind], rows);
      }
      if (cacheOnly) break;
    }
    return this.appended(tokens, options, passes);
  }

  /**
   * Runs the token that stands at position `start` of the sequence, then `count - 1` times the
   * likeliest token after it, in one submit. Resolves with the `count` tokens that follow. It may
   * be called for the tokens after these before they are there; the caller tells the cache.
   */
  async decode(start: number, count: number): Promise<Token[]> {
    const { resident } = this.model;
    const kernels = resident?.one.kernels ?? this.everything.one;
    const tokens = await this.decodeBy(kernels, start, count);
    if (!resident || areChosen(tokens, this.config.vocabSize)) return tokens;
    this.model.leaveResident();
    return this.decodeBy(this.everything.one, start, count);
  }

  /** Logits of one of the `count` rows that the last run left in `hidden`: f32 [vocabSize]. */
  async logitsOfRow(row: number, count: number): Promise<Float32Array> {
    this.model.writeStep(this.recorder, this.cache.tokens.length - count, count, { logitRow: row });
    this.recorder.run(this.model.head.one, ONE_ROW);
    return this.readLogits();
  }

  /** The logits on the device: f32 [vocabSize]. */
  async readLogits(): Promise<Float32Array> {
    const size = this.config.vocabSize * 4;
    return new Float32Array(await this.recorder.read([{ buffer: this.model.logits, size }]));
  }

  dispose(): void {
    this.recorder.dispose();
  }

  /** Token by token costs no more than iterating, and needs no word from the device in between. */
  private isShort(count: number, { output, passes }: ForwardOptions): boolean {
    if (count === 1 || count > SHORT_ROWS || output === 'hidden' || passes < count) return false;
    return this.groups.some(({ cyclic }) => cyclic);
  }

  /** As many passes as rows, each for one of them; what is left to do is the head. */
  private runOneByOne(start: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const rows = { count: 1, end: start + i + 1 };
      this.model.writeStep(this.recorder, start + i, 1);
      this.recorder.run(this.model.embed.one, rows);
      for (const { upToKv, rest } of this.groups) {
        this.recorder.run(upToKv.one, rows);
        this.recorder.run(rest.one, rows);
      }
    }
  }

  private async appended(
    tokens: readonly number[],
    { output, signal }: ForwardOptions,
    passes: number,
  ): Promise<{ passes: number; likeliest: Token | null }> {
    const likeliest = await this.finish(this.cache.tokens.length + tokens.length, output);
    signal?.throwIfAborted();
    this.cache.append(tokens);
    return { passes, likeliest };
  }

  private async decodeBy(kernels: readonly Kernel[], start: number, count: number) {
    this.model.writeStep(this.recorder, start, 1);
    for (let i = 0; i < count; i++) {
      this.recorder.run(kernels, { count: 1, end: start + i + 1 });
    }
    const tokens = await this.readSequence(start + 1, count);
    this.gpu.assertHealthy();
    return tokens;
  }

  /** Says which tokens stand at the positions from `start` on. */
  writeSequence(start: number, tokens: readonly number[]): void {
    this.model.writeSequence(this.recorder, start, tokens);
  }

  private async readSequence(start: number, count: number): Promise<Token[]> {
    const [offset, size] = [start * TOKEN_BYTES, count * TOKEN_BYTES];
    return unpackTokens(await this.recorder.read([{ buffer: this.model.sequence, offset, size }]));
  }

  private async finish(end: number, output: ForwardOptions['output']): Promise<Token | null> {
    let likeliest: Token | null = null;
    if (output === 'logits') {
      this.recorder.run(this.model.head.one, ONE_ROW);
      [likeliest] = await this.readSequence(end, 1);
    } else {
      this.recorder.submit();
      // Never run ahead of the device: an abort must not wait for a queue of chunks.
      await this.gpu.device.queue.onSubmittedWorkDone();
    }
    this.gpu.assertHealthy();
    return likeliest;
  }
}
