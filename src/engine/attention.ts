/**
 * Attention of a layer, and the keys and values that it puts into the cache.
 * Dimension letters: T new tokens, H query heads, G kv heads, K head width.
 */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import { read, uniformStep, write } from './kernel';
import type { Constants, Kernel, KernelCompiler } from './kernel';
import type { Fragment } from './fragments';
import attendSource from '../../shaders/attend.wgsl';
import attendSplitSource from '../../shaders/attend_split.wgsl';
import attendSplitSubgroupSource from '../../shaders/attend_split_subgroup.wgsl';
import emitRowsSource from '../../shaders/emit_rows.wgsl';
import inputMergeSource from '../../shaders/input_merge.wgsl';
import joinPartsSource from '../../shaders/join_parts.wgsl';
import outputKvSource from '../../shaders/output_kv.wgsl';
import outputNoKvSource from '../../shaders/output_no_kv.wgsl';
import outputQkvSource from '../../shaders/output_qkv.wgsl';
import reducePlainSource from '../../shaders/reduce_plain.wgsl';
import reduceSubgroupSource from '../../shaders/reduce_subgroup.wgsl';
import scratchPlainSource from '../../shaders/scratch_plain.wgsl';
import scratchSubgroupSource from '../../shaders/scratch_subgroup.wgsl';
import splitsSource from '../../shaders/splits.wgsl';
import stepSource from '../../shaders/step.wgsl';
import storeKvSource from '../../shaders/store_kv.wgsl';
import visibleSource from '../../shaders/visible.wgsl';

/** Invocations of a workgroup in attend.wgsl. */
const ATTEND_LANES = 64;
/** Tokens that share its loads of keys and values; without subgroups they cost more registers. */
const ATTEND_TOKENS = { subgroups: 8, plain: 4 };
/** Invocations of a workgroup in attend_split.wgsl, and the positions that it takes at a time. */
const SPLIT_LANES = 128;
/** Workgroups that keep a GPU busy; more of them only make more to merge. */
const BUSY_WORKGROUPS = 256;
const MAX_SPLITS = 16;
/** Of several rows every subgroup of the product merges all: input_merge.wgsl takes so many at once. */
const MAX_SPLITS_OF_FEW = 4;

/** Compiles attention for one model. */
export class Attention {
  /** Most workgroups that share the positions of a head. */
  readonly maxSplits: number;
  private readonly device: GPUDevice;
  private readonly compiler: KernelCompiler;
  private readonly config: ModelConfig;
  private readonly cache: KvCache;
  private readonly step: GPUBuffer;
  private readonly rotation: GPUBuffer;
  private readonly subgroups: boolean;

  /** step: see step.wgsl; rotation: f32 [capacity][K / 2] of (cos, sin). */
  constructor(
    device: GPUDevice,
    compiler: KernelCompiler,
    config: ModelConfig,
    cache: KvCache,
    step: GPUBuffer,
    rotation: GPUBuffer,
    subgroups: boolean,
  ) {
    this.device = device;
    this.compiler = compiler;
    this.config = config;
    this.cache = cache;
    this.step = step;
    this.rotation = rotation;
    this.subgroups = subgroups;
    this.maxSplits = Math.max(
      1,
      Math.min(MAX_SPLITS, Math.floor(BUSY_WORKGROUPS / this.config.heads)),
    );
  }

  /** What becomes of the product with q_proj, k_proj and v_proj of a layer, for a few rows. */
  projected(layer: number, qkv: GPUBuffer): Fragment {
    const { heads: H, kvHeads: G, headDim: K } = this.config;
    const keys = this.cache.keys.get(layer);
    const values = this.cache.values.get(layer);
    const kvBindings = keys && values ? [write(6, keys), write(7, values)] : [];
    return {
      source: [outputQkvSource, keys ? outputKvSource : outputNoKvSource],
      constants: { Y_STRIDE: this.qkvWidth, HEADS: H, KV_HEADS: G, HEAD_DIM: K },
      bindings: [write(4, qkv), read(5, this.rotation), ...kvBindings],
    };
  }

  /** Attention of a few rows, `rows` of which share loads in products, shared out by positions. */
  split(layer: number, qkv: GPUBuffer, parts: GPUBuffer, rows: number): Promise<Kernel> {
    const { heads: H, kvHeads: G } = this.config;
    const most = this.splitsOf(rows);
    // Of one row, to be shared out among more workgroups is better than to load keys less often.
    const queries = rows === 1 ? 1 : [4, 2, 1].find((count) => (H / G) % count === 0)!;
    return this.compiler.compile({
      label: 'attend split',
      directives: this.subgroups ? 'enable subgroups;\nrequires subgroup_id;' : undefined,
      source: [
        stepSource,
        visibleSource,
        splitsSource,
        attendSplitSource,
        this.subgroups ? reduceSubgroupSource + attendSplitSubgroupSource : reducePlainSource,
      ],
      constants: {
        ...this.constants(layer),
        ...this.partConstants(most),
        LANES: SPLIT_LANES,
        QUERIES: queries,
      },
      bindings: [read(0, qkv), ...this.reads(layer, 1), write(3, parts), uniformStep(4, this.step)],
      workgroups: ({ count, end }) => [H / queries, splits(end, most), count],
    });
  }

  /** The parts joined, as the input of a product of `rows` rows together. */
  merged(parts: GPUBuffer, rows: number): Fragment {
    return {
      source: [splitsSource, inputMergeSource],
      constants: {
        HEAD_DIM: this.config.headDim,
        ...this.partConstants(this.splitsOf(rows)),
      },
      bindings: [read(2, parts)],
    };
  }

  /** The same as rows of their own: f32 [T][H * K]. */
  join(parts: GPUBuffer, output: GPUBuffer, rows: number): Promise<Kernel> {
    const { source, constants, bindings } = this.merged(parts, rows);
    const blocks = (this.config.heads * this.config.headDim) / 8;
    return this.compiler.compile({
      label: 'join parts',
      source: [stepSource, ...source, joinPartsSource],
      constants: { ...constants, BLOCKS: blocks },
      bindings: [...bindings, write(4, output), uniformStep(8, this.step)],
      workgroups: ({ count }) => [Math.ceil(blocks / 64), count, 1],
    });
  }

  /** `projected` for a product with `columns` columns that is finished, of any number of rows. */
  emitted({ source, constants, bindings }: Fragment, columns: number): Promise<Kernel> {
    return this.compiler.compile({
      label: 'rotate and store',
      source: [stepSource, ...source, emitRowsSource],
      constants: { ...constants, PAIR_COUNT: columns / 2 },
      bindings: [...bindings, uniformStep(8, this.step)],
      workgroups: ({ count }) => [Math.ceil(columns / 2 / 64), count, 1],
    });
  }

  /** Attention of any number of rows whose queries are not yet rotated, `tokens` of them together. */
  whole(
    layer: number,
    qkv: GPUBuffer,
    output: GPUBuffer,
    tokens = this.subgroups ? ATTEND_TOKENS.subgroups : ATTEND_TOKENS.plain,
  ): Promise<Kernel> {
    const { heads: H, headDim: K } = this.config;
    return this.compiler.compile({
      label: 'attend',
      directives: this.subgroups ? 'enable subgroups;' : undefined,
      source: [
        stepSource,
        visibleSource,
        attendSource,
        this.subgroups ? scratchSubgroupSource : scratchPlainSource,
      ],
      constants: {
        ...this.constants(layer),
        TOKENS: tokens,
        LANES: ATTEND_LANES,
        BLOCK: this.block(tokens),
        O_STRIDE: H * K,
      },
      bindings: [
        read(0, qkv),
        read(1, this.rotation),
        ...this.reads(layer, 2),
        write(4, output),
        uniformStep(5, this.step),
      ],
      workgroups: ({ count }) => [H, Math.ceil(count / tokens), 1],
    });
  }

  /** Rotated keys, and values, into the cache; how much they changed into `change`. */
  store(layer: number, qkv: GPUBuffer, change: GPUBuffer): Promise<Kernel> {
    const { heads: H, kvHeads: G, headDim: K } = this.config;
    return this.compiler.compile({
      label: 'store kv',
      source: [stepSource, storeKvSource],
      constants: {
        QKV_STRIDE: this.qkvWidth,
        K_COLUMN: H * K,
        V_COLUMN: (H + G) * K,
        KV_WIDTH: G * K,
        HEAD_DIM: K,
      },
      bindings: [
        read(0, qkv),
        read(1, this.rotation),
        write(2, this.cache.keys.get(layer)!),
        write(3, this.cache.values.get(layer)!),
        write(4, change),
        uniformStep(5, this.step),
      ],
      workgroups: ({ count }) => [count, 1, 1],
    });
  }

  /** Columns of a row of queries, keys and values. */
  get qkvWidth(): number {
    const { heads: H, kvHeads: G, headDim: K } = this.config;
    return (H + 2 * G) * K;
  }

  /** Most workgroups that share the positions of a head, for so many rows together. */
  private splitsOf(rows: number): number {
    return rows === 1 ? this.maxSplits : Math.min(this.maxSplits, MAX_SPLITS_OF_FEW);
  }

  private partConstants(most: number): Constants {
    const { heads: HEADS, headDim: K } = this.config;
    return { HEADS, MAX_SPLITS: most, PART: K + 4 };
  }

  private constants(layer: number): Constants {
    const { heads: H, kvHeads: G, headDim: K } = this.config;
    const { strict, window } = this.config.layers[layer];
    return {
      QKV_STRIDE: this.qkvWidth,
      KV_WIDTH: G * K,
      HEAD_DIM: K,
      QUERIES_PER_KV: H / G,
      STRICT: strict,
      WINDOW: window ?? 0,
    };
  }

  /** The keys and values that a layer reads, at `slot` and the one after it. */
  private reads(layer: number, slot: number) {
    const { reads } = this.config.layers[layer];
    return [read(slot, this.cache.keys.get(reads)!), read(slot + 1, this.cache.values.get(reads)!)];
  }

  /** Positions that attend.wgsl takes at a time: what fits workgroup memory, at most 256. */
  private block(tokens: number): number {
    const floats = this.device.limits.maxComputeWorkgroupStorageSize / 4;
    const perPosition = floats / tokens - this.config.headDim - ATTEND_LANES - 3;
    return Math.min(256, Math.floor(perPosition / ATTEND_LANES) * ATTEND_LANES);
  }
}

/** As split_count of splits.wgsl. */
function splits(end: number, most: number): number {
  const units = Math.ceil(end / SPLIT_LANES);
  const size = Math.ceil(units / most) * SPLIT_LANES;
  return Math.ceil(end / size);
}

/** Bytes that attend_split.wgsl leaves for input_merge.wgsl: f32 [rows][maxSplits][H][K + 4]. */
export function partsBytes({ heads: H, headDim: K }: ModelConfig, maxSplits: number, rows: number) {
  return rows * maxSplits * H * (K + 4) * 4;
}
