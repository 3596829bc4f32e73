/**
 * `resident`: a token in one dispatch (ResidentShape), beside the usual kernels, by how it is shared
 * out, the fastest first. A row whose logits are not those of the usual kernels, or that gets stuck as a
 * device does not run so many workgroups at once, says so. The weights are loaded once.
 */
import { parseArgs } from 'node:util';
import { Forward } from '../src/engine/forward';
import { loadParts, type EngineParts } from '../src/engine/load';
import { Resident } from '../src/engine/resident';
import type { ResidentShape } from '../src/engine/residentPlan';
import { relativeError } from '../test/compare';
import { deviceName, numbers, openGpu, report, round, type Row } from './report';
import { madeUp, modelOptions } from './shapes';

const REPEATS = 4;

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
      steps: { type: 'string', default: '32' },
    },
  });
  const gpu = await openGpu();
  const [context, steps] = [Number(values.context), Number(values.steps)];
  const rows: Row[] = [];
  for (const { names, source, precision } of madeUp(values)) {
    const parts = await loadParts(gpu, source, {
      precision,
      contextTokens: context + steps + 1,
      kernelSet: 'subgroup',
    });
    const bytes = parts.weights.sizeBytes;
    const row = (shape: object, { stepMs, error, isStuck }: Measured) => ({
      ...{ ...names, ...shape },
      decodeMs: round(stepMs),
      tokensPerSecond: round(1000 / stepMs),
      gbPerSecond: round(bytes / stepMs / 1e6),
      error,
      stuck: Number(isStuck),
    });
    const usual = await measure(parts, context, steps);
    rows.push(row({ groups: 0, lanes: 0, depth: 0 }, { ...usual, error: 0 }));
    for (const shape of shapes(values.groups, values.lanes, values.depths)) {
      const built = await Resident.build(
        ...([parts.compiler, parts.config, parts.cache, parts.weights, parts.model] as const),
        shape,
      );
      if (!built) continue;
      parts.model.resident = built;
      const measured = await measure(parts, context, steps);
      const error = round(relativeError(measured.logits, usual.logits));
      rows.push(row(shape, { ...measured, error }));
      parts.model.resident = null;
      built.dispose();
    }
    for (const part of [parts.model, parts.snapshots, parts.cache, parts.weights]) part.dispose();
  }
  rows.sort((a, b) => Number(a.decodeMs) - Number(b.decodeMs));
  report('resident', deviceName(gpu), rows);
}

interface Measured {
  stepMs: number;
  /** Of the logits, relative to their length. */
  error: number;
  isStuck: boolean;
}

/** Least milliseconds of a token after `context` ones, and the logits after the first. */
async function measure({ gpu, model, config, cache }: EngineParts, context: number, steps: number) {
  const forward = new Forward(gpu, model, cache, config);
  const hadResident = model.resident !== null;
  forward.writeSequence(
    0,
    Array.from({ length: context + 1 }, (_, i) => (i * 7919) % config.vocabSize),
  );
  await forward.decode(context, 1);
  const logits = await forward.readLogits();
  let stepMs = Infinity;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const begin = performance.now();
    await forward.decode(context, steps);
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
