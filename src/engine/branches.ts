/**
 * Several continuations of one sequence decoded together: branches share the rows of the cache up
 * to where they part, and the weights are read once for all of them.
 */
import type { KvCache } from './cache';
import type { Forward } from './forward';
import { FEW_ROWS } from './stage';

/** Tokens of a batch, for the first text and after it. */
const BATCHES = [1, 2, 4, 8];

/** Most branches that decode together. */
export const MOST_BRANCHES = FEW_ROWS;

/**
 * Yields the tokens of all branches, one step at a time: ids by branch. `firsts` are the branches'
 * first tokens, after the cache; what follows each is its greedy continuation. Their keys and
 * values take the free slots of the cache, `most` slots each, and are not kept.
 */
export async function* decodeBranches(
  forward: Forward,
  cache: KvCache,
  firsts: readonly number[],
  most: number,
  signal?: AbortSignal,
): AsyncGenerator<number[]> {
  const start = cache.tokens.length;
  const layout = { start, count: firsts.length, slots: most };
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
