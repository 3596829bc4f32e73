/** A checkpoint to what an engine runs on, by the device and what was asked for. */
import type { ModelConfig } from '../model/config';
import type { TensorSource } from '../model/source';
import type { PrecisionChoice } from '../protocol';
import { buildModel, type Built } from './build';
import type { Gpu } from './gpu';
import { cacheBytes, loadPlans, snapshotBudget } from './memory';
import { bindableBytes, type KernelSet } from './kernel';
import { Model } from './model';
import type { KernelChoice } from './operations';
import { matvecShapes, type MatvecShape, type MatvecShapes, type Tiling } from './products';
import { Resident } from './resident';
import type { ResidentShape } from './residentPlan';
import { Snapshots } from './snapshots';
import { FEW_ROWS } from './stage';
import {
  allowed,
  fastest,
  fastestResident,
  tuningKey,
  withMatrices,
  type Tuning,
  type Tunings,
} from './tuning';

export interface EngineOptions extends Tiling {
  /** Most tokens the cache holds; default: the model's maxPositions, at most 4096. */
  contextTokens?: number;
  /**
   * New tokens of one block; default 512. With the kernels for CPUs the default is what shares a load
   * of the weights there: more gains nothing, and an abort takes effect after a block.
   */
  chunkTokens?: number;
  /** Split weights into pieces of at most this size; default: what the device can bind. */
  maxWeightBytes?: number;
  /** Device memory for the keys and values of earlier prompts; default: by device, 64–512 MiB. */
  snapshotBytes?: number;
  /** Format of the weights on the device; default 'auto', the checkpoint's own if it fits. */
  precision?: PrecisionChoice;
  /** Memory that the model must fit into, in bytes; null, the default, where nobody knows. */
  availableBytes?: number | null;
  /** Tokens that the device decodes in one submit; default: by how long a token takes. */
  decodeTokens?: number;
  /** Kernel variants; default: by device. */
  kernelSet?: KernelSet;
  /** How one row's product with a matrix is shared out, and that of a few; default: by kernel set. */
  matvec?: Partial<MatvecShapes>;
  /**
   * How the one dispatch of a token is shared out, and how often a workgroup looks for another's values
   * before it gives up; default: found out by measuring, with `tunings`.
   */
  resident?: ResidentShape & { mostReads?: number };
  /** Where the fastest shape is looked up, or kept when it is found out; not on software adapters. */
  tunings?: Tunings;
  /** Called with the share of the weights that is on the device, 0 to 1. */
  onProgress?: (fraction: number) => void;
  signal?: AbortSignal;
}

const DEFAULT_CONTEXT_TOKENS = 4096;

/** What an engine is made of. */
export interface EngineParts extends Built {
  gpu: Gpu;
  config: ModelConfig;
  snapshots: Snapshots;
  /** New tokens of one block. */
  chunkTokens: number;
  /** Rows of cyclic groups run one after the other: their products gain too little together to pay for passes. */
  runsInTurn: boolean;
  loadMs: number;
}

/** A model that was built as usual, and what others of it are built from. */
interface Tunable {
  gpu: Gpu;
  built: Built;
  config: ModelConfig;
  kernels: KernelChoice;
  chunkTokens: number;
  signal?: AbortSignal;
}

/** The fastest model of those tried in its place, and what makes it so. */
async function tune(usual: Tunable): Promise<{ model: Model; tuning: Tuning }> {
  const { gpu, built, config, kernels, chunkTokens, signal } = usual;
  const { cache, weights, compiler } = built;
  const shape = matvecShapes(kernels.set, kernels.matvec).one;
  const build = (one: MatvecShape, matrices = kernels.matrices) => {
    const choice = { ...kernels, matvec: { ...kernels.matvec, one }, matrices };
    return Model.build(compiler, config, cache, weights, chunkTokens, choice);
  };
  const first = { model: built.model, shape };
  const tuned = await fastest(gpu, cache, config, first, (one) => build(one), signal);
  const isByMatrices = Boolean(kernels.matrices && gpu.matrixUnit);
  const byMatrices = () => build(tuned.shape, true);
  const model = isByMatrices
    ? tuned.model
    : await withMatrices(gpu, cache, config, tuned.model, byMatrices);
  const resident = gpu.info.software
    ? null
    : await fastestResident(gpu, cache, config, model, (one) =>
        residentOf(built, config, model, one),
      );
  const matrices = isByMatrices || model !== tuned.model;
  return { model, tuning: { matvec: tuned.shape, resident, matrices } };
}

function residentOf(
  { compiler, cache, weights }: Built,
  config: ModelConfig,
  model: Model,
  shape: ResidentShape,
  mostReads?: number,
): Promise<Resident | null> {
  return Resident.build(compiler, config, cache, weights, model, shape, mostReads);
}

/** Puts the weights on the device and compiles every kernel. */
export async function loadParts(
  gpu: Gpu,
  source: TensorSource,
  options: EngineOptions,
): Promise<EngineParts> {
  const { config } = source;
  const { device, info } = gpu;
  const set =
    options.kernelSet ?? (!info.subgroups ? 'workgroup' : info.software ? 'software' : 'subgroup');
  const contextTokens =
    options.contextTokens ?? Math.min(config.maxPositions, DEFAULT_CONTEXT_TOKENS);
  const chunkTokens = options.chunkTokens ?? (set === 'software' ? FEW_ROWS : 512);
  const maxBindingBytes = bindableBytes(device);
  const { availableBytes = null, precision: choice = 'auto', matmul, tiledRows } = options;
  const memory = { availableBytes, maxBindingBytes };
  const plans = loadPlans(source, choice, contextTokens, chunkTokens, memory);

  const begin = performance.now();
  const tunings = options.matvec?.one || set === 'software' ? undefined : options.tunings;
  const key = tuningKey(info, config, choice);
  const usual = matvecShapes(set).one;
  const known = allowed(await tunings?.read(key), usual, gpu);
  const kernels = {
    ...{ set, matmul, tiledRows, matrices: options.matrices ?? known?.matrices },
    matvec: { one: known?.matvec, ...options.matvec },
  };
  const built = await buildModel(gpu, source, plans, {
    maxPieceBytes: options.maxWeightBytes ?? maxBindingBytes,
    onProgress: options.onProgress,
    signal: options.signal,
    chunkTokens,
    kernels,
  });
  const { plan, cache, weights } = built;
  let { model } = built;
  if (tunings && !known) {
    // Should a driver not survive it, the next load has a shape and does not try again.
    await tunings.write(key, { matvec: usual, resident: null, matrices: false });
    const tuned = await tune({ gpu, built, config, kernels, chunkTokens, signal: options.signal });
    ({ model } = tuned);
    await tunings.write(key, tuned.tuning);
  }
  const wanted: EngineOptions['resident'] | null = options.resident ?? known?.resident;
  if (wanted) model.resident = await residentOf(built, config, model, wanted, wanted.mostReads);
  const loadMs = performance.now() - begin;
  const leftBytes =
    availableBytes === null
      ? null
      : availableBytes - weights.sizeBytes - cacheBytes(config, plan.contextTokens);
  const snapshotBytes = snapshotBudget(
    options.snapshotBytes,
    device.limits.maxBufferSize,
    leftBytes,
  );
  const snapshots = new Snapshots(device, cache, snapshotBytes);
  const runsInTurn = set === 'software';
  return { ...built, model, gpu, config, snapshots, chunkTokens, runsInTurn, loadMs };
}
