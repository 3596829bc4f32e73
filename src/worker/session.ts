/**
 * One loaded model on one device with its cache: requests in, text out, one at a time.
 * Knows both text and tokens; knows no messages.
 */
import { Engine } from '../engine/engine';
import { generate } from '../engine/generate';
import { Gpu } from '../engine/gpu';
import { openCheckpoint, type Checkpoint } from '../model/checkpoint';
import type { ModelConfig } from '../model/config';
import { buildPrompt, fillInTheMiddleMarks } from '../model/prompt';
import { Tokenizer } from '../model/tokenizer';
import {
  GREEDY,
  type CompletionRequest,
  type DeviceInfo,
  type LoadStep,
  type ModelInfo,
  type PowerPreference,
  type PrecisionChoice,
  type WorkerStats,
} from '../protocol';
import { Fault, say } from '../sentence';
import { decodeChoices, type Reader } from './choices';
import { Confidence } from './confidence';
import { modelFacts } from './facts';
import { availableMemory } from './memory';
import { BlockExtent, LineExtent } from '../text/extent';
import { TuningFile } from './tunings';
import { Turn, type Completed } from './turn';

export interface SessionOptions {
  /** Most tokens of prompt and completion together; default: by device, see below. */
  contextTokens?: number | null;
  /** Part of an adapter's name. */
  adapter?: string | null;
  powerPreference?: PowerPreference;
  precision?: PrecisionChoice;
  /** Memory for keys and values of earlier prompts, in bytes; default: by device. */
  cacheBytes?: number | null;
  /** Where it is kept which kernels are fastest here. */
  tuningFile?: string | null;
  /** What other models take of the same memory meanwhile, in bytes. */
  inUseBytes?: number;
  /** 'off' never uses subgroups. */
  subgroups?: 'auto' | 'off';
  /** Called with the share of the current step that is done, 0 to 1, and the step. */
  onProgress?: (fraction: number, what: LoadStep) => void;
  signal?: AbortSignal;
}

/** Prompts the bundled model was trained on, in tokens. */
const TRAINED_PROMPT_TOKENS = 1024;
/** Room for the completion beside such a prompt. */
const COMPLETION_TOKENS = 256;
/** Of the context, this share at least is for decoding: for several choices at once. */
const DECODE_SHARE = 1 / 5;
/** On a software adapter a prompt takes long, so by default it is short. */
const SOFTWARE_CONTEXT_TOKENS = 320;

/** A model ready to complete. Whoever opens it disposes it. */
export class Session {
  private readonly gpu: Gpu;
  private readonly engine: Engine;
  private readonly tokenizer: Tokenizer;
  private readonly stopTokens: readonly number[];
  private readonly model: ModelInfo;
  /** The request that has the engine, or waits for it. */
  private turn: Turn | null = null;

  private constructor(gpu: Gpu, engine: Engine, tokenizer: Tokenizer, checkpoint: Checkpoint) {
    this.gpu = gpu;
    this.engine = engine;
    this.tokenizer = tokenizer;
    this.stopTokens = [...new Set([...engine.config.eosTokens, ...tokenizer.specialIds])];
    this.model = {
      ...modelFacts(checkpoint),
      contextTokens: engine.contextTokens,
      weightBytes: engine.weightBytes,
      reduced: engine.reduced,
      fillInTheMiddle: fillInTheMiddleMarks(tokenizer) !== null,
      snippets: checkpoint.config.snippets,
    };
  }

  /** Loads a model folder; throws one sentence that says what is wrong and what to do. */
  static async open(modelDir: string, options: SessionOptions = {}): Promise<Session> {
    const { adapter, powerPreference, subgroups, onProgress, signal } = options;
    onProgress?.(0, 'files');
    const checkpoint = await openCheckpoint(modelDir);
    let gpu: Gpu | null = null;
    try {
      const tokenizer = await Tokenizer.open(modelDir);
      assertFits(tokenizer, checkpoint);
      signal?.throwIfAborted();
      onProgress?.(0, 'gpu');
      gpu = await Gpu.open({ adapter: adapter ?? undefined, powerPreference, subgroups });
      const engine = await Engine.load(gpu, checkpoint, {
        contextTokens: contextTokens(options.contextTokens ?? null, checkpoint.config, gpu.info),
        precision: options.precision,
        snapshotBytes: options.cacheBytes ?? undefined,
        tunings: options.tuningFile ? new TuningFile(options.tuningFile) : undefined,
        availableBytes: availableMemory(gpu.info, options.inUseBytes ?? 0),
        onProgress: (fraction) => onProgress?.(fraction, 'weights'),
        signal,
      });
      return new Session(gpu, engine, tokenizer, checkpoint);
    } catch (error) {
      gpu?.dispose();
      throw error;
    } finally {
      await checkpoint.close();
    }
  }

  get device(): DeviceInfo {
    return this.gpu.info;
  }

  /** Resolves with what to say when the device is lost; the session is then of no more use. */
  get lost(): Promise<Fault> {
    return this.gpu.lost;
  }

  /** What the session and its process hold now. */
  stats(): WorkerStats {
    const { tokens, contextTokens, snapshotCount, snapshotBytes } = this.engine;
    return {
      heldTokens: tokens.length,
      contextTokens,
      warmPrompts: snapshotCount,
      warmBytes: snapshotBytes,
      processBytes: process.memoryUsage.rss(),
    };
  }

  info(): ModelInfo {
    return this.model;
  }

  /**
   * Yields the completion in pieces of whole characters and returns how it ended. Supersedes the
   * request before it: that one ends as 'cancelled', and this one starts when it has ended.
   */
  async *complete(
    request: CompletionRequest,
    signal?: AbortSignal,
  ): AsyncGenerator<string, Completed> {
    const { before, turn } = this.supersede(signal);
    try {
      await before?.over;
      turn.signal.throwIfAborted();
      const pieces = this.pieces(request, turn);
      for (;;) {
        const { value, done } = await pieces.next();
        if (done) return turn.completed(value);
        turn.wrote();
        yield value;
      }
    } catch (error) {
      if (turn.signal.aborted) return turn.completed('cancelled');
      throw error;
    } finally {
      turn.end();
    }
  }

  /** Reads a prompt into the cache, unless something runs; whatever comes next cancels it. */
  async prepare(request: CompletionRequest, signal?: AbortSignal): Promise<Completed> {
    if (this.turn && !this.turn.isOver) return new Turn(signal).completed('cancelled');
    return this.hold(signal, async (turn) => {
      const prompt = this.prompt(request, turn);
      // What is held already need not be cut back to this.
      const held = this.engine.tokens;
      if (!prompt.every((id, i) => id === held[i])) await this.read(prompt, turn);
    });
  }

  /**
   * Up to `count` distinct completions of one prompt, that with the likeliest beginning first.
   * Supersedes the request before it.
   */
  async choose(
    request: CompletionRequest,
    count: number,
    signal?: AbortSignal,
  ): Promise<Completed & { texts: string[] }> {
    let texts: string[] = [];
    const completed = await this.hold(signal, async (turn) => {
      const prompt = this.prompt(request, turn);
      if (prompt.length === 0) return;
      await this.read(prompt, turn);
      const { stopTokens } = this;
      const options = {
        count,
        maxTokens: this.maxTokens(request),
        stopTokens,
        signal: turn.signal,
      };
      texts = await decodeChoices(this.engine, options, () => this.reader(request));
    });
    return { ...completed, texts };
  }

  /** Cancels what runs and frees the device. */
  async dispose(): Promise<void> {
    this.turn?.abort();
    await this.turn?.over;
    this.engine.dispose();
    this.gpu.dispose();
  }

  private supersede(signal?: AbortSignal): { before: Turn | null; turn: Turn } {
    const before = this.turn;
    const turn = (this.turn = new Turn(signal));
    before?.abort();
    return { before, turn };
  }

  /** Does something with the engine once the request before has let go of it. */
  private async hold(
    signal: AbortSignal | undefined,
    work: (turn: Turn) => Promise<void>,
  ): Promise<Completed> {
    const { before, turn } = this.supersede(signal);
    try {
      await before?.over;
      turn.signal.throwIfAborted();
      await work(turn);
      return turn.completed('end');
    } catch (error) {
      if (turn.signal.aborted) return turn.completed('cancelled');
      throw error;
    } finally {
      turn.end();
    }
  }

  /** Prefills a prompt and nothing more. */
  private async read(prompt: readonly number[], { signal, stats }: Turn): Promise<void> {
    const options = { maxTokens: 0, stopTokens: [], sampling: GREEDY, signal };
    await generate(this.engine, prompt, options, stats).next();
  }

  /** The text of one request, empty pieces left out. */
  private async *pieces(
    request: CompletionRequest,
    turn: Turn,
  ): AsyncGenerator<string, 'end' | 'line' | 'length' | 'unsure'> {
    const prompt = this.prompt(request, turn);
    if (prompt.length === 0) return 'end';
    const { stopTokens } = this;
    const { signal } = turn;
    const { sampling } = request;
    const options = { maxTokens: this.maxTokens(request), stopTokens, sampling, signal };
    const tokens = generate(this.engine, prompt, options, turn.stats);
    const { decoder, extent } = this.reader(request);
    const confidence = new Confidence(request.confidence);
    for (;;) {
      const { value, done } = await tokens.next();
      if (!done) turn.generatedTokens++;
      const piece = done ? decoder.flush() : decoder.push(value.id);
      if (!done) confidence.take(piece, value.logProbability);
      let text = extent.take(piece);
      if (done) text += extent.flush();
      if (confidence.isLacking) return 'unsure';
      if (text !== '') yield text;
      if (extent.ended) return request.extent === 'line' ? 'line' : 'end';
      if (done) return value;
    }
  }

  private reader(request: CompletionRequest): Reader {
    const extent = request.extent === 'line' ? new LineExtent() : new BlockExtent(request);
    return { decoder: this.tokenizer.createDecoder(), extent };
  }

  private prompt(request: CompletionRequest, turn: Turn): number[] {
    const { contextTokens } = this.engine;
    const reserved = Math.max(this.maxTokens(request), Math.floor(contextTokens * DECODE_SHARE));
    const budget = contextTokens - reserved;
    const { bosToken } = this.engine.config;
    const { ids, snippetTokens } = buildPrompt(this.tokenizer, request, budget, bosToken);
    turn.snippetTokens = snippetTokens;
    return ids;
  }

  private maxTokens({ maxTokens }: CompletionRequest): number {
    return Math.min(maxTokens, this.engine.contextTokens >> 1);
  }
}

function contextTokens(asked: number | null, config: ModelConfig, device: DeviceInfo): number {
  const usual = device.software
    ? SOFTWARE_CONTEXT_TOKENS
    : TRAINED_PROMPT_TOKENS + COMPLETION_TOKENS;
  return Math.min(asked ?? usual, config.maxPositions);
}

function assertFits(tokenizer: Tokenizer, { dir, config }: Checkpoint): void {
  if (tokenizer.size > config.vocabSize) {
    throw new Fault(
      say`${dir}/tokenizer.json: found ${tokenizer.size} tokens, expected at most ${config.vocabSize} (vocab_size in config.json). The two do not belong together.`,
    );
  }
}
