/**
 * One request's hold on the engine, and what is measured of it.
 */
import type { GenerateStats } from '../engine/generate';
import type { StopReason, Timings } from '../protocol';

/** How a request ended; every request ends in one. */
export interface Completed {
  reason: StopReason;
  timings: Timings;
}

/** From the request until it has let go of the engine. */
export class Turn {
  readonly stats: GenerateStats = { promptTokens: 0, reusedTokens: 0, passes: 0, prefillMs: 0 };
  snippetTokens = 0;
  generatedTokens = 0;
  /** Aborts when the caller gives up, and when a newer request comes. */
  readonly signal: AbortSignal;
  /** Resolves when the request has let go of the engine. */
  readonly over: Promise<void>;
  readonly end: () => void;
  isOver = false;
  private readonly begin = performance.now();
  private readonly controller = new AbortController();
  private firstTextMs: number | null = null;

  constructor(given?: AbortSignal) {
    const { signal } = this.controller;
    this.signal = given ? AbortSignal.any([given, signal]) : signal;
    let resolve = () => {};
    this.over = new Promise((settle) => (resolve = settle));
    this.end = () => {
      this.isOver = true;
      resolve();
    };
  }

  abort(): void {
    this.controller.abort();
  }

  /** Takes notice of text. */
  wrote(): void {
    this.firstTextMs ??= performance.now() - this.begin;
  }

  /** The turn as it went, up to now. */
  completed(reason: StopReason): Completed {
    const { stats, snippetTokens, generatedTokens, firstTextMs } = this;
    const totalMs = performance.now() - this.begin;
    return { reason, timings: { ...stats, snippetTokens, generatedTokens, firstTextMs, totalMs } };
  }
}
