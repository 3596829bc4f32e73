/** How long a model takes for a token and for a prompt, if its logits are those of another one. */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import { Forward } from './forward';
import type { Gpu } from './gpu';
import type { Model } from './model';

/** Tokens decoded in one go; the least time counts. */
const STEPS = 16;
/** New tokens that are run to time products of many rows. */
const PROMPT_TOKENS = 256;
/** First tokens of sequences that are decoded together to see whether they can be. */
const SEQUENCES = [7, 17, 27, 37];
/** A device that has waited is slow at first: each shape is worked with for at least so long. */
const MEASURE_MS = 30;
/** How much the logits may differ, as a share of their length; those of a prompt may have activations in f16. */
const TOLERANCE = 1e-3;
const PROMPT_TOLERANCE = 1e-2;

/** Logits that were found, and least milliseconds. */
interface Timed {
  logits: Float32Array;
  ms: number;
}

/** Of a token, from `measureMs` of decoding; null where the logits after the first are not those expected. */
export function decodeTime(
  gpu: Gpu,
  model: Model,
  cache: KvCache,
  config: ModelConfig,
  expected: Float32Array | null,
  measureMs = MEASURE_MS,
): Promise<Timed | null> {
  const steps = Math.min(STEPS, cache.capacity);
  return runWith(new Forward(gpu, model, cache, config), async (forward) => {
    forward.writeSequence(0, [0]);
    await forward.decode(0, 1);
    const logits = await forward.readLogits();
    if (expected && !isClose(logits, expected, TOLERANCE)) return null;
    return { logits, ms: (await leastTime(() => forward.decode(0, steps), measureMs)) / steps };
  });
}

/** Whether logits of a few sequences together are near those of the same model with other kernels. */
export async function isNearTogether(
  gpu: Gpu,
  models: readonly [Model, Model],
  cache: KvCache,
  config: ModelConfig,
): Promise<boolean> {
  const firsts = SEQUENCES.map((id) => id % config.vocabSize);
  const layout = { from: 0, start: 0, count: firsts.length, slots: 2 };
  const logits = (model: Model) =>
    runWith(new Forward(gpu, model, cache, config), async (forward) => {
      await forward.together.prepare(layout, firsts);
      await forward.together.decode(layout, 0, 1);
      return forward.readLogits();
    });
  const [one, other] = models;
  return isClose(await logits(other), await logits(one), PROMPT_TOLERANCE);
}

/** Of a prompt; null where the logits after it are not near those expected. */
export function promptTime(
  gpu: Gpu,
  model: Model,
  cache: KvCache,
  config: ModelConfig,
  expected: Float32Array | null,
): Promise<Timed | null> {
  const count = Math.min(PROMPT_TOKENS, model.chunkTokens, cache.capacity);
  const ids = Array.from({ length: count }, (_, i) => (i * 7919) % config.vocabSize);
  const options = { output: 'logits', passes: 2, tolerance: 0, isExactWelcome: false } as const;
  return runWith(new Forward(gpu, model, cache, config), async (forward) => {
    const run = async () => {
      await forward.run(ids, options);
      cache.crop(0);
    };
    await run();
    const logits = await forward.readLogits();
    if (expected && !isClose(logits, expected, PROMPT_TOLERANCE)) return null;
    return { logits, ms: await leastTime(run, MEASURE_MS) };
  });
}

async function runWith<T>(forward: Forward, work: (forward: Forward) => Promise<T>): Promise<T> {
  try {
    return await work(forward);
  } finally {
    forward.dispose();
  }
}

async function leastTime(work: () => Promise<unknown>, measureMs: number): Promise<number> {
  let ms = Infinity;
  for (const first = performance.now(); performance.now() < first + measureMs;) {
    const begin = performance.now();
    await work();
    ms = Math.min(ms, performance.now() - begin);
  }
  return ms;
}

function isClose(found: Float32Array, expected: Float32Array, tolerance: number): boolean {
  const squares = (of: (i: number) => number) =>
    expected.reduce((sum, _, i) => sum + of(i) ** 2, 0);
  const difference = squares((i) => found[i] - expected[i]);
  return difference <= tolerance ** 2 * squares((i) => expected[i]);
}
