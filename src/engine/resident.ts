/**
 * A token of each of a few sequences through the whole model in one dispatch (resident.wgsl): for GPUs,
 * where dependent dispatches are what decoding costs. All workgroups must run at the same time, and how
 * many a device takes nobody says: too many get stuck, which the token that comes back tells.
 */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import { WEIGHT_FORMATS } from './formats';
import { read, write, type Kernel, type KernelCompiler } from './kernel';
import {
  embeddingOf,
  headWeights,
  layerWeights,
  type LayerWeights,
  type NormedMatrix,
} from './parameters';
import { isQuantized } from './precision';
import {
  constantsOf,
  FIRST_WORD,
  isSupported,
  KINDS,
  planOf,
  sharingOf,
  smallestSubgroup,
  type ResidentShape,
  type Segment,
  type Sharing,
} from './residentPlan';
import { FEW_ROWS } from './stage';
import { unrolled } from './unroll';
import type { Matrix, WeightLoader } from './weights';
import reduceSource from '../../shaders/reduce_subgroup.wgsl';
import attendSource from '../../shaders/resident_attend.wgsl';
import exchangeSource from '../../shaders/resident_exchange.wgsl';
import headSource from '../../shaders/resident_head.wgsl';
import layerSource from '../../shaders/resident_layer.wgsl';
import productSource from '../../shaders/resident_product.wgsl';
import sumsSource from '../../shaders/resident_sums.wgsl';
import tablesSource from '../../shaders/resident_tables.wgsl';
import residentSource from '../../shaders/resident.wgsl';
import stepSource from '../../shaders/step.wgsl';

/** Reads before a workgroup gives up waiting for others: about a fifth of a second on a GPU. */
const MOST_READS = 1 << 18;

/** Bound by the kernel: more than WebGPU guarantees. */
const STORAGE_BUFFERS = 10;
/** Without quantised weights there is no other binding to read the norms by. */
const WORDS_SOURCE = '@group(0) @binding(1) var<storage, read> scales: array<u32>;';

/** What it shares with the model's other kernels. */
export interface TokenBuffers {
  sequence: GPUBuffer;
  step: GPUBuffer;
  rotation: GPUBuffer;
  logits: GPUBuffer;
}

/** What its kernels are made from. */
interface Parts {
  compiler: KernelCompiler;
  config: ModelConfig;
  cache: KvCache;
  tokens: TokenBuffers;
  shape: ResidentShape;
  mostReads: number;
  layers: LayerWeights[];
  embedding: Matrix;
  head: NormedMatrix;
  /** The layers of each buffer of weights. */
  segments: (Segment & { buffer: GPUBuffer })[];
}

/** Kernels for a number of sequences, one for each buffer of weights. */
export interface ResidentKernels {
  kernels: Kernel[];
  /** Zeroed before other sequences begin: what earlier ones left there could pass for theirs. */
  exchange: GPUBuffer;
}

/** The kernels and the memory of their own. */
export class Resident {
  readonly one: ResidentKernels;
  private readonly parts: Parts;
  private readonly few = new Map<number, Promise<ResidentKernels | null>>();
  private readonly buffers: GPUBuffer[];

  private constructor(parts: Parts, one: ResidentKernels, buffers: GPUBuffer[]) {
    this.parts = parts;
    this.one = one;
    this.buffers = buffers;
  }

  /** Null where a model or a device is not of the kind that it is written for. */
  static async build(
    compiler: KernelCompiler,
    config: ModelConfig,
    cache: KvCache,
    weights: WeightLoader,
    tokens: TokenBuffers,
    shape: ResidentShape,
    mostReads = MOST_READS,
  ): Promise<Resident | null> {
    const layers = await Promise.all(
      config.layers.map(({ computesKv }, i) => layerWeights(weights, i, computesKv)),
    );
    const head = await headWeights(weights, config);
    const embedding = await embeddingOf(weights);
    const segments = segmentsOf(layers);
    const { limits } = compiler.device;
    if (
      !cache.whole ||
      !segments ||
      head.norm.buffer !== segments.at(-1)!.buffer ||
      !isTogether([embedding, head.matrix]) ||
      layers.some(({ qkv }) => qkv.dtype !== embedding.dtype) ||
      !isSupported(config) ||
      shape.lanes > limits.maxComputeInvocationsPerWorkgroup ||
      limits.maxStorageBuffersPerShaderStage < STORAGE_BUFFERS
    ) {
      return null;
    }
    const weightsOf = { layers, embedding, head, segments };
    const parts: Parts = { compiler, config, cache, tokens, shape, mostReads, ...weightsOf };
    const buffers: GPUBuffer[] = [];
    const one = await compile(parts, sharingOf(shape, 1), buffers);
    return one && new Resident(parts, one, buffers);
  }

  /** So many workgroups run at once: several sequences may share them. */
  runsAtOnce(groups: number): void {
    this.parts.shape = { ...this.parts.shape, atOnce: groups };
  }

  /** Kernels for so many sequences, compiled when they are first wanted; null where there are none. */
  forRows(count: number): Promise<ResidentKernels | null> {
    const { compiler, shape } = this.parts;
    const sequences = 2 ** Math.ceil(Math.log2(count));
    const sharing = sharingOf(shape, sequences);
    const { rows } = sharing;
    const { subgroupMaxSize = Infinity } = compiler.device.adapterInfo;
    // The lanes that serve a sequence are whole subgroups, and in each there is one for every sum.
    const isWhole = (shape.lanes / rows) % subgroupMaxSize === 0;
    const isWide = smallestSubgroup(compiler.device) >= 2 * rows;
    if (sequences > FEW_ROWS || !isWhole || !isWide) return Promise.resolve(null);
    const kernels = this.few.get(sequences) ?? compile(this.parts, sharing, this.buffers);
    this.few.set(sequences, kernels);
    return kernels;
  }

  dispose(): void {
    for (const buffer of this.buffers) buffer.destroy();
  }
}

/** Whether matrices lie in one buffer and have one format. */
function isTogether(matrices: readonly Matrix[]): boolean {
  const [{ dtype, pieces }] = matrices;
  const [{ values }] = pieces;
  return matrices.every(
    (one) =>
      one.dtype === dtype &&
      one.pieces.length === 1 &&
      one.pieces[0].values.buffer === values.buffer,
  );
}

/** Which layers lie in one buffer, in their order; null where one layer alone does not. */
function segmentsOf(layers: readonly LayerWeights[]): Parts['segments'] | null {
  const segments: Parts['segments'] = [];
  for (const [i, { qkv, o, gateUp, down, inputNorm, mlpNorm }] of layers.entries()) {
    const { buffer } = inputNorm;
    if (!isTogether([qkv, o, gateUp, down]) || mlpNorm.buffer !== buffer) return null;
    if (qkv.pieces[0].values.buffer !== buffer) return null;
    const last = segments.at(-1);
    if (last?.buffer === buffer) last.end = i + 1;
    else segments.push({ from: i, end: i + 1, buffer });
  }
  return segments;
}

/** Null where workgroup memory does not suffice. Buffers of their own join `buffers`. */
async function compile(
  { compiler, config, cache, tokens, shape, mostReads, layers, embedding, head, segments }: Parts,
  sharing: Sharing,
  buffers: GPUBuffer[],
): Promise<ResidentKernels | null> {
  const { device } = compiler;
  const { dtype } = embedding;
  const { teams, groups, rows } = sharing;
  const constants = constantsOf(config, shape, sharing, device);
  if (!constants) return null;
  const create = (label: string, size: number, usage: number) => {
    const buffer = device.createBuffer({ label, size, usage: usage | GPUBufferUsage.COPY_DST });
    buffers.push(buffer);
    return buffer;
  };
  const exchange = create(
    'exchange',
    (FIRST_WORD + teams * constants.WORDS) * 4,
    GPUBufferUsage.STORAGE,
  );
  const tables = embedding.pieces[0].values.buffer;
  const compiling = segments.map(({ buffer, ...segment }) => {
    const plan = planOf(config, cache, dtype, embedding, head, layers, segment, mostReads);
    const planned = create('plan', plan.byteLength, GPUBufferUsage.UNIFORM);
    device.queue.writeBuffer(planned, 0, plan);
    return compiler.compile({
      label: `resident, ${teams * rows} rows`,
      directives: 'enable subgroups;\nrequires subgroup_id;\ndiagnostic(off, subgroup_uniformity);',
      source: [
        isQuantized(dtype) ? '' : WORDS_SOURCE,
        WEIGHT_FORMATS[dtype],
        stepSource,
        tablesSource,
        exchangeSource,
        reduceSource,
        residentSource,
        sumsSource,
        unrolled(layerSource, {
          EACH_OF_WIDTH: constants.WIDTH_TURNS,
          EACH_OF_MLP: constants.MLP_TURNS,
        }),
        unrolled(attendSource, {
          EACH_HEAD: constants.SHARED_HEADS,
          EACH_VECTOR: constants.LANE_VECTORS,
          EACH_SPLIT: constants.SPLITS,
        }),
        headSource,
        ...KINDS.map((kind) =>
          unrolled(productSource.replaceAll('KIND', kind), {
            EACH_ROW: rows,
            EACH_BLOCK: constants[`DEPTH_${kind}`],
          }),
        ),
      ],
      constants: { ...constants, QUANTIZED: isQuantized(dtype) },
      bindings: [
        read(0, buffer),
        read(1, buffer),
        write(2, tokens.sequence),
        write(3, tokens.step),
        read(4, tokens.rotation),
        write(5, cache.whole!),
        write(6, exchange),
        write(7, tokens.logits),
        { slot: 8, resource: planned, access: 'uniform' },
        read(9, tables),
        read(10, tables),
      ],
      workgroups: () => [teams * groups, 1, 1],
    });
  });
  return { kernels: await Promise.all(compiling), exchange };
}
