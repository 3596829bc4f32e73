/**
 * `sweep`: decode by how products with one row, or a few (`--rows`), are shared out (MatvecShape),
 * the fastest first. Every shape is right (test/gpu/shapes.test.ts); which one is fast is the
 * device's affair. The weights are loaded once.
 */
import { parseArgs } from 'node:util';
import { Forward } from '../src/engine/forward';
import type { KernelSet } from '../src/engine/kernel';
import { loadParts, type EngineParts } from '../src/engine/load';
import { Model } from '../src/engine/model';
import type { MatvecShape } from '../src/engine/products';
import { deviceName, median, numbers, openGpu, report, round, type Row } from './report';
import { madeUp, modelOptions } from './shapes';

const REPEATS = 4;

/** What is decoded with each shape. */
interface Work {
  set: KernelSet;
  /** Sequences together. */
  rows: number;
  /** Tokens in the cache before. */
  context: number;
  steps: number;
}

/** Runs the benchmark. */
export async function sweep(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ...modelOptions,
      set: { type: 'string', default: 'subgroup' },
      rows: { type: 'string', default: '1' },
      context: { type: 'string', default: '128' },
      lanes: { type: 'string', default: '32,64,128' },
      units: { type: 'string', default: '1,2,4' },
      pairs: { type: 'string', default: '1,2' },
      depths: { type: 'string', default: '1,2,4' },
      steps: { type: 'string', default: '32' },
    },
  });
  const gpu = await openGpu();
  const work: Work = {
    set: values.set as KernelSet,
    rows: Number(values.rows),
    context: Number(values.context),
    steps: Number(values.steps),
  };
  const matvecs = shapes(values.lanes, values.units, values.pairs, values.depths);
  const rows: Row[] = [];
  for (const { names, source, precision } of madeUp(values)) {
    const parts = await loadParts(gpu, source, {
      precision,
      contextTokens: work.context + work.rows * (work.steps + 1),
      kernelSet: work.set,
    });
    for (const matvec of matvecs) {
      const step = await stepMs(parts, matvec, work);
      rows.push({
        ...{ ...names, rows: work.rows, ...matvec },
        decodeMs: round(step),
        stepsPerSecond: round(1000 / step),
        gbPerSecond: round(parts.weights.sizeBytes / step / 1e6),
      });
    }
    for (const part of [parts.model, parts.snapshots, parts.cache, parts.weights]) part.dispose();
  }
  rows.sort((a, b) => Number(a.decodeMs) - Number(b.decodeMs));
  report('sweep', deviceName(gpu), rows);
}

/** Milliseconds of a step whose products are shared out so. */
async function stepMs(
  { gpu, compiler, config, cache, weights, chunkTokens }: EngineParts,
  matvec: MatvecShape,
  { set, rows, context, steps }: Work,
): Promise<number> {
  const kernels = { set, matvec: rows === 1 ? { one: matvec } : { few: matvec } };
  const model = await Model.build(compiler, config, cache, weights, chunkTokens, kernels);
  const forward = new Forward(gpu, model, cache, config);
  const branches = { from: context, start: context, count: rows, slots: steps + 1 };
  const runs: number[] = [];
  await forward.together.prepare(branches, Array<number>(rows).fill(0));
  for (let run = 0; run <= REPEATS; run++) {
    const begin = performance.now();
    await (rows === 1
      ? forward.decode(context, steps)
      : forward.together.decode(branches, 0, steps));
    if (run > 0) runs.push((performance.now() - begin) / steps);
  }
  forward.dispose();
  model.dispose();
  return median(runs);
}

/** All combinations, but none with a subgroup of 32 that has nothing to do. */
function shapes(lanes: string, units: string, pairs: string, depths: string): MatvecShape[] {
  return numbers(lanes).flatMap((lane) =>
    numbers(units)
      .filter((unit) => unit >= lane / 32)
      .flatMap((unit) =>
        numbers(pairs).flatMap((pair) =>
          numbers(depths).map((depth) => ({ lanes: lane, units: unit, pairs: pair, depth })),
        ),
      ),
  );
}
