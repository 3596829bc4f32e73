/**
 * How one row's products are shared out on a device, whether a token in one dispatch is faster and whether many rows
 * are by matrices of a subgroup, found out by decoding a few tokens with each of some shapes and by running a prompt. All are right (test/gpu/shapes.test.ts,
 * resident.test.ts); one whose logits differ from the usual ones all the same is not timed.
 */
import type { ModelConfig } from '../model/config';
import type { DeviceInfo } from '../protocol';
import type { KvCache } from './cache';
import { watchErrors } from './errors';
import type { Gpu } from './gpu';
import type { Model } from './model';
import type { MatvecShape } from './products';
import type { Resident } from './resident';
import type { ResidentShape } from './residentPlan';
import { decodeTime, isNearTogether, promptTime } from './timing';

/** What is found out. */
export interface Tuning {
  /** How one row's products are shared out. */
  matvec: MatvecShape;
  /** A token's one dispatch, if that is faster. */
  resident: ResidentShape | null;
  /** Whether products of many rows are faster by matrices of a subgroup. */
  matrices: boolean;
}

/** Where what was found out is kept from one load to the next. */
export interface Tunings {
  /** Whatever is kept there: `allowed` judges it. */
  read(key: string): Promise<unknown>;
  write(key: string, tuning: Tuning): Promise<void>;
}

/** A model and how its products are shared out. */
export interface Tuned {
  model: Model;
  shape: MatvecShape;
}

/** Shapes beside the usual one, the most promising first. */
const CANDIDATES: readonly MatvecShape[] = [
  { lanes: 128, units: 4, pairs: 1, depth: 4 },
  { lanes: 64, units: 2, pairs: 1, depth: 4 },
  { lanes: 64, units: 2, pairs: 1, depth: 2 },
  { lanes: 128, units: 4, pairs: 1, depth: 8 },
  { lanes: 32, units: 1, pairs: 1, depth: 2 },
  { lanes: 64, units: 2, pairs: 1, depth: 1 },
  { lanes: 128, units: 4, pairs: 2, depth: 2 },
];
/** Shapes of a token's one dispatch, the most promising first (`bench resident`, docs/LOG.md). */
const RESIDENT_CANDIDATES: readonly ResidentShape[] = [
  { groups: 64, lanes: 512, depth: 2 },
  { groups: 128, lanes: 512, depth: 4 },
  { groups: 32, lanes: 512, depth: 2 },
  { groups: 16, lanes: 256, depth: 2 },
];
/** After this no further shape of the products is tried, in milliseconds. */
const LIMIT_MS = 1000;
/** How often the kernels of one dispatch take turns. */
const ROUNDS = 3;
/** A GPU that was idle, while kernels were compiled say, has slow clocks for a while: with them, other shapes look best. */
const WARM_UP_MS = 400;
/** A shape must save this share of the time: less is noise. */
const WORTH = 0.03;

/** Names a device and all of a model that its products' shapes depend on. */
export function tuningKey(device: DeviceInfo, config: ModelConfig, precision: string): string {
  const { vendor, architecture, description } = device;
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize, layers } = config;
  const shape = [hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize, layers.length];
  return [vendor, architecture, description, shape.join(' '), precision].join(' | ');
}

/** What was kept, if it is of what would be tried on a device. */
export function allowed(
  kept: unknown,
  usual: MatvecShape,
  { device, matrixUnit }: Gpu,
): Tuning | undefined {
  const { matvec, resident, matrices } = Object(kept) as Partial<Record<keyof Tuning, unknown>>;
  const shape = [usual, ...candidates(CANDIDATES, device)].find((one) => isSame(one, matvec));
  const whole = resident === null ? null : allowedResident(resident, device);
  if (!shape || whole === undefined) return undefined;
  if (typeof matrices !== 'boolean' || (matrices && !matrixUnit)) return undefined;
  return { matvec: shape, resident: whole, matrices };
}

function allowedResident(kept: unknown, device: GPUDevice): ResidentShape | undefined {
  const all = candidates(RESIDENT_CANDIDATES, device);
  const shape = all.find((one) => isSame(one, kept));
  const { atOnce } = Object(kept) as { atOnce?: unknown };
  const most = all.find(({ groups }) => groups === atOnce);
  return shape && most && { ...shape, atOnce: most.groups };
}

/** Whether something that was read has the numbers of a shape. */
function isSame<T extends MatvecShape | ResidentShape>(shape: T, found: unknown): boolean {
  const numbers = Object(found) as Record<string, unknown>;
  return Object.entries(shape).every(([name, value]) => numbers[name] === value);
}

function candidates<T extends { lanes: number }>(all: readonly T[], { limits }: GPUDevice): T[] {
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } = limits;
  const most = Math.min(maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX);
  return all.filter(({ lanes }) => lanes <= most);
}

/**
 * The fastest of the usual model and those that `build` makes for other shapes; the others are
 * disposed, and one that cannot be built is passed over. The cache must be empty. Throws the signal's
 * reason between shapes.
 */
export async function fastest(
  gpu: Gpu,
  cache: KvCache,
  config: ModelConfig,
  usual: Tuned,
  build: (shape: MatvecShape) => Promise<Model>,
  signal?: AbortSignal,
): Promise<Tuned> {
  const measure = (model: Model, expected: Float32Array | null, measureMs?: number) =>
    decodeTime(gpu, model, cache, config, expected, measureMs);
  const { logits, ms } = (await measure(usual.model, null, WARM_UP_MS))!;
  const begin = performance.now();
  let best = { ...usual, ms };
  for (const shape of candidates(CANDIDATES, gpu.device)) {
    signal?.throwIfAborted();
    if (performance.now() - begin > LIMIT_MS) break;
    const model = await attempt(gpu.device, () => build(shape));
    if (!model) continue;
    const measured = await measure(model, logits);
    const isBetter = measured !== null && measured.ms < best.ms * (1 - WORTH);
    (isBetter ? best.model : model).dispose();
    if (isBetter) best = { model, shape, ms: measured.ms };
  }
  return { model: best.model, shape: best.shape };
}

/**
 * A model whose products of many rows go by matrices of a subgroup if it is faster and its logits, of a prompt and
 * of a few sequences, are near those of the usual one, which is then disposed; else the usual one. The cache must be empty, and is so afterwards.
 */
export async function withMatrices(
  gpu: Gpu,
  cache: KvCache,
  config: ModelConfig,
  usual: Model,
  build: () => Promise<Model>,
): Promise<Model> {
  const model = gpu.matrixUnit && (await attempt(gpu.device, build));
  if (!model) return usual;
  const { logits, ms } = (await promptTime(gpu, usual, cache, config, null))!;
  const measured = await promptTime(gpu, model, cache, config, logits);
  const isFaster = measured !== null && measured.ms < ms * (1 - WORTH);
  const isNear = () => isNearTogether(gpu, [usual, model], cache, config).catch(() => false);
  const isBetter = isFaster && (await isNear());
  (isBetter ? usual : model).dispose();
  return isBetter ? model : usual;
}

/**
 * The fastest shape of a token's one dispatch if it is faster than the model without, else null. `build`
 * gives null where there is no such kernel. The model then has it, and knows how many workgroups ran at once.
 */
export async function fastestResident(
  gpu: Gpu,
  cache: KvCache,
  config: ModelConfig,
  model: Model,
  build: (shape: ResidentShape) => Promise<Resident | null>,
  shapes: readonly ResidentShape[] = candidates(RESIDENT_CANDIDATES, gpu.device),
): Promise<ResidentShape | null> {
  const kernels = await buildAll(gpu.device, shapes, build);
  if (kernels.length === 0) return null;
  const { logits } = (await decodeTime(gpu, model, cache, config, null, WARM_UP_MS))!;
  const times = new Map<ResidentShape | null, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [shape, kernel] of [[null, null] as const, ...kernels]) {
      if (round > 0 && !times.has(shape)) continue;
      model.resident = kernel;
      const measured = await decodeTime(gpu, model, cache, config, logits);
      const isStuck = model.resident !== kernel;
      if (!measured || isStuck) times.delete(shape);
      else times.set(shape, Math.min(measured.ms, times.get(shape) ?? Infinity));
    }
  }
  const usual = times.get(null)!;
  times.set(null, usual * (1 - WORTH));
  const [[best]] = [...times].sort(([, a], [, b]) => a - b);
  for (const [shape, kernel] of kernels) if (shape !== best) kernel.dispose();
  model.resident = kernels.find(([shape]) => shape === best)?.[1] ?? null;
  if (!best) return null;
  const atOnce = Math.max(...[...times.keys()].map((shape) => shape?.groups ?? 0));
  model.resident?.runsAtOnce(atOnce);
  return { ...best, atOnce };
}

/** The kernels that can be built, together, as each takes a second to compile; none where memory is short. */
async function buildAll(
  device: GPUDevice,
  shapes: readonly ResidentShape[],
  build: (shape: ResidentShape) => Promise<Resident | null>,
): Promise<[ResidentShape, Resident][]> {
  const errors = watchErrors(device);
  const building = shapes.map(
    async (shape) => [shape, await build(shape).catch(() => null)] as const,
  );
  const built = await Promise.all(building);
  const { shortage, fault } = await errors();
  const found = built.flatMap(([shape, kernel]): [ResidentShape, Resident][] =>
    kernel ? [[shape, kernel]] : [],
  );
  if (shortage === null && fault === null) return found;
  for (const [, kernel] of found) kernel.dispose();
  return [];
}

/** The model, or null where a kernel does not compile or memory is short. */
async function attempt(device: GPUDevice, build: () => Promise<Model>): Promise<Model | null> {
  const errors = watchErrors(device);
  const model = await build().catch(() => null);
  const { shortage, fault } = await errors();
  if (shortage === null && fault === null) return model;
  model?.dispose();
  return null;
}
