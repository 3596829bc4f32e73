/**
 * Logits to the next token id on the CPU: temperature, top-k, top-p, seeded.
 */
import type { Sampling } from '../protocol';
import type { Token } from './token';

/** A seeded source of numbers in [0, 1) (mulberry32): the same seed gives the same text. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Index of the largest logit, the lowest where several are equal. logits: f32 [vocab]. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

/** Indices of the `count` largest logits, the largest first; lower ones first where several are equal. */
export function largest(logits: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < logits.length; i++) {
    if (best.length === count && logits[i] <= logits[best[count - 1]]) continue;
    const at = best.findIndex((other) => logits[i] > logits[other]);
    best.splice(at < 0 ? best.length : at, 0, i);
    best.length = Math.min(best.length, count);
  }
  return best;
}

/** A token with its probability at temperature 1. logits: f32 [vocab]. */
export function chosen(logits: Float32Array, id: number): Token {
  const most = logits[argmax(logits)];
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
  return { id, logProbability: logits[id] - most - Math.log(total) };
}

/** Draws a token id. Temperature 0 is argmax. logits: f32 [vocab], not changed. */
export function sample(logits: Float32Array, sampling: Sampling, random: () => number): number {
  const { temperature, topK, topP } = sampling;
  if (temperature <= 0) return argmax(logits);
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  const candidates = topK > 0 ? order.slice(0, topK) : order;
  const top = logits[candidates[0]];
  const weights = candidates.map((id) => Math.exp((logits[id] - top) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);

  let kept = 0;
  let keptWeight = 0;
  do keptWeight += weights[kept++];
  while (kept < weights.length && keptWeight < topP * total);

  let rest = random() * keptWeight;
  for (let i = 0; i < kept; i++) {
    rest -= weights[i];
    if (rest < 0) return candidates[i];
  }
  return candidates[kept - 1];
}
