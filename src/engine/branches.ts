/**
 * Several sequences decoded together, so that the weights are read once for all of them: branches
 * of one, which share its rows of the cache, or independent ones.
 */
import type { KvCache } from './cache';
import type { BranchLayout, Forward } from './forward';

/** Tokens of a batch, for the first text and after it. */
const BATCHES = [1, 2, 4, 8];

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
  layout: BranchLayout,
  firsts: readonly number[],
  most: number,
  signal?: AbortSignal,
): AsyncGenerator<number[]> {
  forward.writeBranches(layout, firsts);
  yield [...firsts];
  for (let made = 1, batch = 0; made < most; batch++) {
    signal?.throwIfAborted();
    const size = Math.min(BATCHES[Math.min(batch, BATCHES.length - 1)], most - made);
    const steps = await forward.decodeBranches(layout, made - 1, size);
    signal?.throwIfAborted();
    made += size;
    yield* steps;
  }
}
