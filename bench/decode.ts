/**
 * `decode`: prefill and decode of LCKV layouts beside a standard transformer of the same shape
 * (random bf16 weights, converted), on one device in one run, by tokens in the cache.
 *
 * Prefill is bound by arithmetic; decode by reading the weights and by dispatches that wait for one
 * another: gbPerSecond is the bytes of all weights divided by the time of a token. With `--branches`
 * also the time of a step of so many alternatives, and its ratio to a token alone. With `--tuned` the
 * products are shared out as the engine finds out to be fastest; `--few 64,2,1,1` says lanes, units,
 * pairs and depth of those for alternatives, `--tiled-rows 4` from how many on they are in tiles, `--tile`
 * which tiles all those take, as the benchmark "tiles" names them. With `--model DIR` a model with its own
 * weights and a standard transformer of its shape. With `--matrices` products of many rows go by
 * matrices of a subgroup, whether that is faster or not.
 */
import { parseArgs } from 'node:util';
import { Engine, type Passes } from '../src/engine/engine';
import { deviceName, median, numbers, openGpu, report, round, type Row } from './report';
import { beside, madeUp, matvecShape, modelOptions, tileShape } from './shapes';
import { Trace } from './trace';
import { MemoryTunings } from './tunings';

/** What is measured at each length. */
interface Work {
  passes: Passes;
  /** Tokens decoded after the prompt. */
  steps: number;
  branches: number;
  repeats: number;
}

/** Runs the benchmark. */
export async function decode(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ...modelOptions,
      layouts: { type: 'string', default: 'middle,w2,standard' },
      tokens: { type: 'string', default: '128,512' },
      passes: { type: 'string', default: 'trained' },
      branches: { type: 'string', default: '0' },
      steps: { type: 'string' },
      chunk: { type: 'string' },
      model: { type: 'string' },
      tuned: { type: 'boolean', default: false },
      matrices: { type: 'boolean' },
      few: { type: 'string' },
      'tiled-rows': { type: 'string' },
      tile: { type: 'string' },
      repeats: { type: 'string', default: '5' },
    },
  });
  const lengths = numbers(values.tokens);
  const gpu = await openGpu();
  const trace = new Trace(gpu.device);
  const work: Work = {
    passes: (Number(values.passes) || values.passes) as Passes,
    steps: Number(values.steps ?? (gpu.info.software ? 16 : 128)),
    branches: Number(values.branches),
    repeats: Number(values.repeats),
  };
  const rows: Row[] = [];
  const models = values.model ? await beside(values.model, values.precisions) : madeUp(values);
  for (const { names, source, precision } of models) {
    const tunings = new MemoryTunings();
    const engine = await Engine.load(gpu, source, {
      precision,
      chunkTokens: values.chunk === undefined ? undefined : Number(values.chunk),
      tunings: values.tuned ? tunings : undefined,
      matrices: values.matrices,
      matvec: values.few === undefined ? undefined : { few: matvecShape(values.few) },
      tiledRows: values['tiled-rows'] === undefined ? undefined : Number(values['tiled-rows']),
      matmul: values.tile === undefined ? undefined : tileShape(values.tile),
      contextTokens: Math.max(...lengths) + (work.steps + 1) * Math.max(1, work.branches),
    });
    const dispatches = (await trace.of(() => engine.prefill([1]))).length;
    for (const tokens of lengths) {
      const measured = await measure(engine, tokens, work);
      rows.push({
        ...{ ...names, tokens, dispatches },
        ...(values.tuned ? tunings.row : {}),
        ...named({ few: values.few, tiledRows: values['tiled-rows'], tile: values.tile }),
        ...measured,
      });
    }
    engine.dispose();
  }
  report('decode', deviceName(gpu), rows);
}

/** Those options that were given. */
function named(options: Record<string, string | undefined>): Record<string, string> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Record<string, string>;
}

async function measure(
  engine: Engine,
  tokens: number,
  { passes: asked, steps, branches, repeats }: Work,
): Promise<Row> {
  const prompt = Array.from({ length: tokens }, (_, i) => (i * 7919) % engine.config.vocabSize);
  const prefillMs: number[] = [];
  const decodeMs: number[] = [];
  const branchMs: number[] = [];
  let passes = 0;
  for (let repeat = 0; repeat <= repeats; repeat++) {
    engine.crop(0);
    const begin = performance.now();
    ({ passes } = await engine.prefill(prompt, { passes: asked }));
    const prefilled = performance.now();
    const decoded = await timed(engine.decode(steps + 1));
    engine.crop(0);
    await engine.prefill(prompt, { passes: 1 });
    const branched = branches > 0 ? await timed(engine.branch(branches, steps + 1)) : 0;
    if (repeat === 0) continue; // warm-up
    prefillMs.push(prefilled - begin);
    decodeMs.push(decoded / steps);
    branchMs.push(branched / steps);
  }
  const step = median(decodeMs);
  const branchStep = median(branchMs);
  return {
    passes,
    prefillMs: round(median(prefillMs)),
    prefillTokensPerSecond: round((1000 * tokens) / median(prefillMs)),
    decodeMs: round(step),
    decodeTokensPerSecond: round(1000 / step),
    gbPerSecond: round(engine.weightBytes / step / 1e6),
    ...(branches > 0
      ? { branches, branchStepMs: round(branchStep), branchRatio: round(branchStep / step) }
      : {}),
  };
}

/** Milliseconds until the last of what a generator yields. */
export async function timed(tokens: AsyncGenerator<unknown>): Promise<number> {
  const begin = performance.now();
  while (!(await tokens.next()).done);
  return performance.now() - begin;
}
