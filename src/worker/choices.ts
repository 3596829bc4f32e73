/**
 * Several completions of one prompt, decoded together from where they part: the first token.
 */
import type { Engine } from '../engine/engine';
import type { Decoder } from '../model/tokenizer';
import type { Extent } from '../text/extent';

/** A first token less likely than this begins nothing that anybody wants. */
const MIN_PROBABILITY = 0.01;

/** What a branch's tokens become text with. */
export interface Reader {
  decoder: Decoder;
  extent: Extent;
}

/** How far to decode. */
export interface ChoiceOptions {
  /** Most completions. */
  count: number;
  /** Most tokens of each. */
  maxTokens: number;
  stopTokens: readonly number[];
  signal: AbortSignal;
}

/** The distinct completions of the prompt that the cache holds, the likeliest beginning first. */
export async function decodeChoices(
  engine: Engine,
  { count: most, maxTokens, stopTokens, signal }: ChoiceOptions,
  createReader: () => Reader,
): Promise<string[]> {
  const count = countLikely(await engine.readLogits(), most);
  const room = Math.floor((engine.contextTokens - engine.tokens.length) / count);
  const branches = Array.from({ length: count }, () => ({
    ...createReader(),
    text: '',
    end: false,
  }));
  for await (const ids of engine.branch(count, Math.min(maxTokens, room), signal)) {
    for (const [i, branch] of branches.entries()) {
      if (branch.end) continue;
      const isStop = stopTokens.includes(ids[i]);
      if (!isStop) branch.text += branch.extent.take(branch.decoder.push(ids[i]));
      branch.end = isStop || branch.extent.ended;
    }
    if (branches.every(({ end }) => end)) break;
  }
  const texts = branches.map(({ text, extent }) => text + extent.flush());
  return [...new Set(texts)];
}

/** How many tokens are likely enough to begin with: 1 to `most`. logits: f32 [vocab]. */
export function countLikely(logits: Float32Array, most: number): number {
  const largest = logits.reduce((max, logit) => Math.max(max, logit), -Infinity);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  const enough = largest + Math.log(MIN_PROBABILITY * total);
  const likely = logits.reduce((count, logit) => count + (logit >= enough ? 1 : 0), 0);
  return Math.min(most, Math.max(1, likely));
}
