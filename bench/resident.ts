/**
 * `resident`: a token of one sequence, or of `--rows` branches of one, in one dispatch (ResidentShape),
 * beside the usual kernels, by how it is shared out, the fastest first. A row whose logits are not those
 * of the usual kernels, or that gets stuck as a device does not run so many workgroups at once, says so.
 * The weights are loaded once. Branches share the workgroups in teams, of which `--teams` sets the number. With
 * `--matrices` more than two branches go by matrices of a subgroup in the usual kernels; of a wide model, only there.
 */
import { parseArgs } from 'node:util';
import { Forward } from '../src/engine/forward';
import { loadParts, type EngineParts } from '../src/engine/load';
import { Resident } from '../src/engine/resident';
import type { ResidentShape } from '../src/engine/residentPlan';
import { relativeError } from '../test/compare';
import { deviceName, numbers, openGpu, report, round, type Row } from './report';
import { madeUp, modelOptions } from './shapes';

/** All are compiled first and then take turns: a device that has waited is slow at first. */
const WARM_UP_MS = 500;
const MEASURE_MS = 60;
const ROUNDS = 4;

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
      teams: { type: 'string' },
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
    const all: Candidate[] = counts.map((count) => ({ shape: null, count, kernels: null }));
    const teams = values.teams === undefined ? undefined : Number(values.teams);
    for (const shape of shapes(values.groups, values.lanes, values.depths, teams)) {
      all.push(...(await candidates(parts, shape, counts)));
    }
    const found = await inTurns(parts, all, context, steps);
    for (const [{ shape, count }, { stepMs, logits, isStuck }] of found) {
      const usual = all.find((one) => one.shape === null && one.count === count)!;
      rows.push({
        ...{ ...names, rows: count, ...(shape ?? { groups: 0, lanes: 0, depth: 0 }) },
        decodeMs: round(stepMs),
        tokensPerSecond: round((1000 * count) / stepMs),
        gbPerSecond: round(bytes / stepMs / 1e6),
        error: round(relativeError(logits, found.get(usual)!.logits)),
        stuck: Number(isStuck),
      });
    }
    for (const kernels of new Set(all.map(({ kernels }) => kernels))) kernels?.dispose();
    parts.model.resident = null;
    for (const part of [parts.model, parts.snapshots, parts.cache, parts.weights]) part.dispose();
  }
  rows.sort((a, b) => Number(a.decodeMs) - Number(b.decodeMs));
  report('resident', deviceName(gpu), rows);
}

/** What is measured: so many sequences by a shape's kernels, or by the usual ones. */
interface Candidate {
  shape: ResidentShape | null;
  count: number;
  kernels: Resident | null;
}

/** A shape's, compiled, but for numbers of sequences that the engine would not run so. */
async function candidates(
  { compiler, config, cache, weights, model }: EngineParts,
  shape: ResidentShape,
  counts: readonly number[],
): Promise<Candidate[]> {
  const kernels = await Resident.build(compiler, config, cache, weights, model, shape);
  if (!kernels) return [];
  const found: Candidate[] = [];
  for (const count of counts.filter((count) => count <= model.mostResident)) {
    if (count === 1 || (await kernels.forRows(count))) found.push({ shape, count, kernels });
  }
  return found;
}

/** The least of several rounds. Kernels that got stuck are left out from then on. */
async function inTurns(
  parts: EngineParts,
  all: readonly Candidate[],
  context: number,
  steps: number,
): Promise<Map<Candidate, Measured>> {
  const found = new Map<Candidate, Measured>();
  const stuck = new Set<Resident>();
  parts.model.resident = null;
  await measure(parts, context, all[0].count, steps, WARM_UP_MS);
  for (let round = 0; round < ROUNDS; round++) {
    for (const candidate of all) {
      const { kernels, count } = candidate;
      if (kernels && stuck.has(kernels)) continue;
      parts.model.resident = kernels;
      const measured = await measure(parts, context, count, steps, MEASURE_MS);
      if (kernels && measured.isStuck) stuck.add(kernels);
      const stepMs = Math.min(measured.stepMs, found.get(candidate)?.stepMs ?? Infinity);
      found.set(candidate, { ...measured, stepMs });
    }
  }
  return found;
}

interface Measured {
  stepMs: number;
  /** After the first step, of the first row. */
  logits: Float32Array;
  isStuck: boolean;
}

/** Least milliseconds of a step of `count` rows after `context` tokens. */
async function measure(
  { gpu, model, config, cache }: EngineParts,
  context: number,
  count: number,
  steps: number,
  measureMs: number,
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
  for (const first = performance.now(); performance.now() < first + measureMs;) {
    const begin = performance.now();
    await run(steps);
    stepMs = Math.min(stepMs, (performance.now() - begin) / steps);
  }
  forward.dispose();
  return { stepMs, logits, isStuck: hadResident && model.resident === null };
}

function shapes(groups: string, lanes: string, depths: string, teams?: number): ResidentShape[] {
  return numbers(groups).flatMap((group) =>
    numbers(lanes).flatMap((lane) =>
      numbers(depths).map((depth) => ({
        groups: group,
        lanes: lane,
        depth,
        ...(teams && { teams }),
      })),
    ),
  );
}
