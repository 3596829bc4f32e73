/**
 * `headline`: the paper's claim in this engine. Tokens per second at the largest batch that fits one
 * fixed budget for keys and values, a standard transformer beside LCKV layouts of the same shape.
 * Budgets, ascending, are named by how many sequences of the standard transformer they hold; ratios are to its
 * best rate with that budget or a smaller one. A batch has at most
 * `mostTogether` sequences (64); where a layout could hold more, `isFull` is 0. With `--tuned` products
 * are shared out as the engine finds out to be fastest, and a few sequences may decode in one dispatch.
 */
import { parseArgs } from 'node:util';
import { Engine } from '../src/engine/engine';
import { cacheBytes } from '../src/engine/memory';
import { MOST_ROWS } from '../src/engine/stage';
import { deviceName, numbers, openGpu, report, round, type Row } from './report';
import { madeUp, modelOptions } from './shapes';
import { MemoryTunings } from './tunings';

const MIB = 2 ** 20;
/** A device that waited while kernels were compiled is slow at first. */
const REPEATS = 3;

/** Runs the benchmark. */
export async function headline(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ...modelOptions,
      shape: { type: 'string', default: '1.1b' },
      layouts: { type: 'string', default: 'standard,w10,w2' },
      precisions: { type: 'string', default: 'f16' },
      tokens: { type: 'string', default: '1024' },
      steps: { type: 'string', default: '64' },
      budgets: { type: 'string', default: '1,2,4,8' },
      tuned: { type: 'boolean', default: false },
    },
  });
  const steps = Number(values.steps);
  const slots = Number(values.tokens);
  const gpu = await openGpu();
  const rows: Row[] = [];
  const standard = new Map<string, number>();
  for (const { names, source, precision } of madeUp(values)) {
    const { layers } = source.config;
    const perSequence = cacheBytes(source.config, slots);
    const perStandard =
      (perSequence / layers.filter(({ computesKv }) => computesKv).length) * layers.length;
    const batches = numbers(values.budgets).map((held) => {
      const fit = Math.floor((held * perStandard) / perSequence);
      return { held, fit, batch: Math.min(MOST_ROWS, fit) };
    });
    const engine = await Engine.load(gpu, source, {
      precision,
      contextTokens: Math.max(...batches.map(({ batch }) => batch)) * slots,
      snapshotBytes: 0,
      tunings: values.tuned ? new MemoryTunings() : undefined,
    });
    let best = 0;
    for (const { held, fit, batch } of batches) {
      let stepMs = Infinity;
      for (let repeat = 0; repeat < REPEATS; repeat++) {
        stepMs = Math.min(stepMs, await measure(engine, batch, slots - steps, steps));
      }
      const tokensPerSecond = (1000 * batch) / stepMs;
      const twin = `${precision} ${held}`;
      // Fewer at a time may be faster than as many as fit.
      best = Math.max(best, tokensPerSecond);
      if (names.layout === 'standard') standard.set(twin, best);
      const base = standard.get(twin);
      rows.push({
        ...{ ...names, tokens: slots },
        budgetMiB: round((held * perStandard) / MIB),
        kvBytesPerToken: perSequence / slots,
        batch,
        isFull: fit > batch ? 0 : 1,
        stepMs: round(stepMs),
        tokensPerSecond: round(tokensPerSecond),
        ratio: base === undefined ? null : round(tokensPerSecond / base),
      });
    }
    engine.dispose();
  }
  report('headline', deviceName(gpu), rows);
}

/** Milliseconds of a step of `batch` sequences, whose prompts have `tokens` tokens each. */
async function measure(
  engine: Engine,
  batch: number,
  tokens: number,
  steps: number,
): Promise<number> {
  const { vocabSize } = engine.config;
  const prompts = Array.from({ length: batch }, (_, b) =>
    Array.from({ length: tokens }, (_, i) => (b * 31 + i * 7919) % vocabSize),
  );
  const decoding = engine.decodeTogether(prompts, steps, { passes: 2 });
  // The first step comes from the prompts, and the batches of the next ones are small.
  const warmUp = Math.min(8, steps >> 1);
  for (let step = 0; step < warmUp; step++) await decoding.next();
  const begin = performance.now();
  for (let step = warmUp; step < steps; step++) await decoding.next();
  return (performance.now() - begin) / (steps - warmUp);
}
