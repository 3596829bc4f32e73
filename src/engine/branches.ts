/**
 * Several sequences decoded together, so that the weights are read once for all of them: branches
 * of one, which share its rows of the cache, or independent ones.
 */
import type { KvCache } from './cache';
import { Decoder, type Pace } from './decode';
import type { Forward } from './forward';
import type { BranchLayout } from './together';

/**
 * Continuations of what the cache holds, from these first tokens. Their keys and values take its
 * free slots, `most` each, and are not kept.
 */
export function branchesOf(cache: KvCache, count: number, most: number): BranchLayout {
  const start = cache.tokens.length;
  return { from: start, start, count, slots: most };
}

/**
 * Yields the tokens of all sequences, one step at a time: ids by sequence. `firsts` are their first
 * tokens, without keys and values yet; what follows each is its greedy continuation.
 */
export async function* decodeBranches(
  forward: Forward,
  pace: Pace,
  layout: BranchLayout,
  firsts: readonly number[],
  most: number,
  signal?: AbortSignal,
): AsyncGenerator<number[]> {
  await forward.together.prepare(layout, firsts);
  const run = (step: number, steps: number) => forward.together.decode(layout, step, steps);
  const decoder = new Decoder(run, pace, 0, most - 1);
  for (let steps = [[...firsts]]; steps.length > 0;) {
    signal?.throwIfAborted();
    decoder.startAhead();
    yield* steps;
    signal?.throwIfAborted();
    steps = await decoder.next();
  }
}
