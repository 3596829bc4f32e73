/**
 * How one row's products are shared out on a device, found out by decoding a few tokens with each of
 * some shapes. All are right (test/gpu/shapes.test.ts); one whose logits differ from the usual ones
 * all the same is not timed.
 */
import type { ModelConfig } from '../model/config';
import type { DeviceInfo } from '../protocol';
import type { KvCache } from './cache';
import { watchErrors } from './errors';
import { Forward } from './forward';
import type { Gpu } from './gpu';
import type { Model } from './model';
import type { MatvecShape } from './products';

/** Where what was found out is kept from one load to the next. */
export interface Tunings {
  /** Whatever is kept there: `allowed` judges it. */
  read(key: string): Promise<unknown>;
  write(key: string, shape: MatvecShape): Promise<void>;
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
/** After this no further shape is tried, in milliseconds. */
const LIMIT_MS = 1000;
/** Tokens decoded in one go, and how often: the least time counts. */
const STEPS = 16;
const REPEATS = 3;
/** A shape must save this share of the time: less is noise. */
const WORTH = 0.03;
/** How much the logits may differ, as a share of their length. */
const TOLERANCE = 1e-3;

/** Names a device and all of a model that its products' shapes depend on. */
export function tuningKey(device: DeviceInfo, config: ModelConfig, precision: string): string {
  const { vendor, architecture, description } = device;
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize, layers } = config;
  const shape = [hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize, layers.length];
  return [vendor, architecture, description, shape.join(' '), precision].join(' | ');
}

/** What was kept, if it is one of the shapes that would be tried on a device. */
export function allowed(
  kept: unknown,
  usual: MatvecShape,
  device: GPUDevice,
): MatvecShape | undefined {
  const shape = Object(kept) as Partial<Record<keyof MatvecShape, unknown>>;
  const isSame = ({ lanes, units, pairs, depth }: MatvecShape) =>
    lanes === shape.lanes &&
    units === shape.units &&
    pairs === shape.pairs &&
    depth === shape.depth;
  return [usual, ...candidates(device)].find(isSame);
}

function candidates({ limits }: GPUDevice): MatvecShape[] {
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } = limits;
  const most = Math.min(maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX);
  return CANDIDATES.filter(({ lanes }) => lanes <= most);
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
  const begin = performance.now();
  const measure = async (model: Model, expected: Float32Array | null) => {
    const forward = new Forward(gpu, model, cache, config);
    try {
      return await decodeTime(forward, Math.min(STEPS, cache.capacity), expected);
    } finally {
      forward.dispose();
    }
  };
  const { logits, ms } = (await measure(usual.model, null))!;
  let best = { ...usual, ms };
  for (const shape of candidates(gpu.device)) {
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

/** The model, or null where a kernel does not compile or memory is short. */
async function attempt(device: GPUDevice, build: () => Promise<Model>): Promise<Model | null> {
  const errors = watchErrors(device);
  const model = await build().catch(() => null);
  const { shortage, fault } = await errors();
  if (shortage === null && fault === null) return model;
  model?.dispose();
  return null;
}

/** Least milliseconds of a token, or null where the logits after the first are not those expected. */
async function decodeTime(
  forward: Forward,
  steps: number,
  expected: Float32Array | null,
): Promise<{ logits: Float32Array; ms: number } | null> {
  forward.writeSequence(0, [0]);
  await forward.decode(0, 1);
  const logits = await forward.readLogits();
  if (expected && !isClose(logits, expected)) return null;
  let ms = Infinity;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const begin = performance.now();
    await forward.decode(0, steps);
    ms = Math.min(ms, (performance.now() - begin) / steps);
  }
  return { logits, ms };
}

function isClose(found: Float32Array, expected: Float32Array): boolean {
  const squares = (of: (i: number) => number) =>
    expected.reduce((sum, _, i) => sum + of(i) ** 2, 0);
  const difference = squares((i) => found[i] - expected[i]);
  return difference <= TOLERANCE ** 2 * squares((i) => expected[i]);
}
