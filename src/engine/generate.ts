/**
 * Prefill what the cache does not hold yet, then decode: greedily on the device, or drawing on the CPU.
 */
import type { Sampling } from '../protocol';
import type { Engine, Passes } from './engine';
import { seededRandom } from './sample';
import type { Token } from './token';

export interface GenerateOptions {
  maxTokens: number;
  /** Generation ends before any of these, which is not yielded. */
  stopTokens: readonly number[];
  sampling: Sampling;
  /** How the prompt is encoded; default 'trained'. */
  passes?: Passes;
  signal?: AbortSignal;
}

/** How a generation went: filled in while it runs, so it is there also when the caller stops. */
export interface GenerateStats {
  promptTokens: number;
  /** Prompt tokens whose keys and values were still held. */
  reusedTokens: number;
  /** Most passes any chunk of the prompt took. */
  passes: number;
  prefillMs: number;
}

/**
 * Yields tokens after `prompt` until a stop token ('end') or maxTokens ('length'). Throws the
 * signal's reason within one forward pass of its abort. The prompt may not be empty, and prompt
 * plus maxTokens must fit the engine's contextTokens.
 */
export async function* generate(
  engine: Engine,
  prompt: readonly number[],
  options: GenerateOptions,
  stats: GenerateStats,
): AsyncGenerator<Token, 'end' | 'length'> {
  const { maxTokens, stopTokens, sampling, passes = 'trained', signal } = options;
  const begin = performance.now();
  // The last prompt token always runs again: its logits choose the first new token.
  const reused = Math.min(engine.reuse(prompt), prompt.length - 1);
  engine.crop(reused);
  stats.promptTokens = prompt.length;
  stats.reusedTokens = reused;
  const prefilled = await engine.prefill(prompt.slice(reused), { passes, signal });
  stats.passes = prefilled.passes;
  stats.prefillMs = performance.now() - begin;

  const tokens =
    sampling.temperature > 0
      ? sampled(engine, maxTokens, sampling, signal)
      : engine.decode(maxTokens, signal);
  for await (const token of tokens) {
    if (stopTokens.includes(token.id)) return 'end';
    yield token;
  }
  return 'length';
}

/** Draws token after token on the CPU. */
async function* sampled(
  engine: Engine,
  maxTokens: number,
  sampling: Sampling,
  signal?: AbortSignal,
): AsyncGenerator<Token> {
  const random = seededRandom(sampling.seed);
  for (let generated = 0; generated < maxTokens; generated++) {
    const token = await engine.pick(sampling, random);
    yield token;
    if (generated + 1 < maxTokens) await engine.prefill([token.id], { signal });
  }
}
