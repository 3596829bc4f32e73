/**
 * `resident`: a token of one sequence, or of `--rows` branches of one, in one dispatch (ResidentShape),
 * beside the usual kernels, by how it is shared out, the fastest first. A row whose logits are not those
 * of the usual kernels, or that gets stuck as a device does not run so many workgroups at once, says so.
 * The weights are loaded once. With `--matrices` more than two branches go by matrices of a subgroup, which are then the usual
 * kernels.
 */
import { parseArgs } from 'node:util';
import { Forward } from '../src/engine/forward';
import { loadParts, type EngineParts } from '../src/engine/load';
import { Resident } from '../src/engine/resident';
import type { ResidentShape } from '../src/engine/residentPlan';
import { relativeError } from '../test/compare';
import { deviceName, numbers, openGpu, report, round, type Row } from './report';
import { madeUp, modelOptions } from './shapes';

/** A device that has waited is slow at first. */
const MEASURE_MS = 250;

/** Runs the benchmark. */
export async function resident(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ...modelOptions,
      context: { type: 'string', default: '128' },
      groups: { type: 'string', default: '64,128' },
      lanes: { type: 'string', default: '128,256,512' },
      depths: { type: 'string', default: '1,2,4' },
      rows: { type: 'string', default: '1' },
      steps: { type: 'string', default: '32' },
      matrices: { type: 'boolean', default: false },
    },
  });
  const gpu = await openGpu();
  const [context, steps] = [Number(values.context), Number(values.steps)];
  const rows: Row[] = [];
  const counts = numbers(values.rows);
  for (const { names, source, precision } of madeUp(values)) {
    const parts = await loadParts(gpu, source, {
      precision,
      contextTokens: context + Math.max(...counts) * (steps + 1),
      kernelSet: 'subgroup',
      matrices: values.matrices,
    });
    const bytes = parts.weights.sizeBytes;
    const usual = new Map<number, Measured>();
    for (const shape of [null, ...shapes(values.groups, values.lanes, values.depths)]) {
      const built = await build(parts, shape);
      if (shape && !built) continue;
      parts.model.resident = built;
      for (const count of counts) {
        if (built && count > parts.model.mostResident) continue;
        if (count > 1 && built && !(await built.forRows(count))) continue;
        const { stepMs, logits, isStuck } = await measure(parts, context, count, steps);
        if (!shape) usual.set(count, { stepMs, logits, isStuck });
        rows.push({
          ...{ ...names, rows: count, ...(shape ?? { groups: 0, lanes: 0, depth: 0 }) },
          decodeMs: round(stepMs),
          tokensPerSecond: round((1000 * count) / stepMs),
          gbPerSecond: round(bytes / stepMs / 1e6),
          error: round(relativeError(logits, usual.get(count)!.logits)),
          stuck: Number(isStuck),
        });
        if (isStuck) break;
      }
      parts.model.resident?.dispose();
      parts.model.resident = null;
    }
    for (const part of [parts.model, parts.snapshots, parts.cache, parts.weights]) part.dispose();
  }
  rows.sort((a, b) => Number(a.decodeMs) - Number(b.decodeMs));
  report('resident', deviceName(gpu), rows);
}

interface Measured {
  stepMs: number;
  /** After the first step, of the first row. */
  logits: Float32Array;
  isStuck: boolean;
}

function build(parts: EngineParts, shape: ResidentShape | null): Promise<Resident | null> {
  if (!shape) return Promise.resolve(null);
  const { compiler, config, cache, weights, model } = parts;
  return Resident.build(compiler, config, cache, weights, model, shape);
}

/** Least milliseconds of a step of `count` rows after `context` tokens. */
async function measure(
  { gpu, model, config, cache }: EngineParts,
  context: number,
  count: number,
  steps: number,
): Promise<Measured> {
  const forward = new Forward(gpu, model, cache, config);
  const hadResident = model.resident !== null;
  const ids = Array.from({ length: context + count }, (_, i) => (i * 7919) % config.vocabSize);
  forward.writeSequence(0, ids);
  const layout = { from: context, start: context, count, slots: steps + 1 };
  if (count > 1) await forward.together.prepare(layout, ids.slice(context));
  const run = (n: number): Promise<unknown> =>
    count > 1 ? forward.together.decode(layout, 0, n) : forward.decode(context, n);
  await run(1);
  const logits = await forward.readLogits();
  let stepMs = Infinity;
  for (const first = performance.now(); performance.now() < first + MEASURE_MS;) {
    const begin = performance.now();
    await run(steps);
    stepMs = Math.min(stepMs, (performance.now() - begin) / steps);
  }
  forward.dispose();
  return { stepMs, logits, isStuck: hadResident && model.resident === null };
}

function shapes(groups: string, lanes: string, depths: string): ResidentShape[] {
  return numbers(groups).flatMap((group) =>
    numbers(lanes).flatMap((lane) =>
      numbers(depths).map((depth) => ({ groups: group, lanes: lane, depth })),
    ),
  );
}
