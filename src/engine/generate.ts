/**
 * Prefill what the cache does not hold yet, then decode token by token.
 */
import type { Sampling } from '../protocol';
import type { Engine, Passes } from './engine';

export interface GenerateOptions {
  maxTokens: number;
  /** Generation ends before any of these, which is not yielded. */
  stopTokens: readonly number[];
  sampling: Sampling;
  passes?: Passes;
  signal?: AbortSignal;
}

/** How a generation went; returned by the generator when it ends (also when the caller stops it, via `stats`). */
export interface GenerateStats {
  promptTokens: number;
  reusedTokens: number;
  passes: number;
  prefillMs: number;
}

export declare function generate(
  engine: Engine,
  prompt: readonly number[],
  options: GenerateOptions,
  stats: GenerateStats,
): AsyncGenerator<number, 'end' | 'length'>;
