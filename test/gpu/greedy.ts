import type { Engine, Passes } from '../../src/engine/engine';
import { generate, type GenerateStats } from '../../src/engine/generate';
import { GREEDY } from '../../src/protocol';

/** The greedy continuation of a prompt, and how it came about; uses what the cache holds. */
export async function greedy(
  engine: Engine,
  prompt: readonly number[],
  maxTokens: number,
  passes: Passes = 'exact',
): Promise<{ tokens: number[]; stats: GenerateStats }> {
  const stats = { promptTokens: 0, reusedTokens: 0, passes: 0, prefillMs: 0 };
  const options = { maxTokens, stopTokens: [], sampling: GREEDY, passes };
  const tokens: number[] = [];
  for await (const token of generate(engine, prompt, options, stats)) tokens.push(token.id);
  return { tokens, stats };
}
