/**
 * A token through the whole model in one dispatch (resident.wgsl): for GPUs, where dependent
 * dispatches are what decoding costs. All workgroups must run at the same time, and how many a device
 * takes nobody says: too many get stuck, which the token that comes back tells.
 */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import { WEIGHT_FORMATS } from './formats';
import { read, write, type Kernel, type KernelCompiler } from './kernel';
import { embeddingOf, headWeights, layerWeights } from './parameters';
import { isQuantized } from './precision';
import {
  constantsOf,
  isSupported,
  KINDS,
  planOf,
  workgroupBytes,
  type ResidentShape,
} from './residentPlan';
import type { Matrix, WeightLoader } from './weights';
import reduceSource from '../../shaders/reduce_subgroup.wgsl';
import attendSource from '../../shaders/resident_attend.wgsl';
import exchangeSource from '../../shaders/resident_exchange.wgsl';
import headSource from '../../shaders/resident_head.wgsl';
import layerSource from '../../shaders/resident_layer.wgsl';
import productSource from '../../shaders/resident_product.wgsl';
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

/** The kernel and the memory of its own. */
export class Resident {
  readonly kernel: Kernel;
  private readonly buffers: GPUBuffer[];

  private constructor(kernel: Kernel, buffers: GPUBuffer[]) {
    this.kernel = kernel;
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
    const { dtype } = embedding;
    const matrices = layers.flatMap(({ qkv, o, gateUp, down }) => [qkv, o, gateUp, down]);
    const constants = constantsOf(config, shape);
    const { limits } = compiler.device;
    const { wholes } = weights;
    const isIn = (buffer: GPUBuffer, all: Matrix[]) =>
      all.every(({ dtype: type, pieces }) => type === dtype && pieces[0].values.buffer === buffer);
    if (
      !wholes ||
      !cache.whole ||
      !isIn(wholes.layers, matrices) ||
      !isIn(wholes.tables, [embedding, head.matrix]) ||
      !isSupported(config) ||
      shape.lanes > limits.maxComputeInvocationsPerWorkgroup ||
      limits.maxStorageBuffersPerShaderStage < STORAGE_BUFFERS ||
      workgroupBytes(config, shape, constants) > limits.maxComputeWorkgroupStorageSize
    ) {
      return null;
    }
    const plan = planOf(config, cache, dtype, embedding, head, layers, mostReads);
    const { device } = compiler;
    const create = (label: string, size: number, usage: number) =>
      device.createBuffer({ label, size, usage: usage | GPUBufferUsage.COPY_DST });
    const exchange = create('exchange', constants.WORDS * 4, GPUBufferUsage.STORAGE);
    const planned = create('plan', plan.byteLength, GPUBufferUsage.UNIFORM);
    device.queue.writeBuffer(planned, 0, plan);
    const kernel = await compiler.compile({
      label: 'resident',
      directives: 'enable subgroups;\nrequires subgroup_id;\ndiagnostic(off, subgroup_uniformity);',
      source: [
        isQuantized(dtype) ? '' : WORDS_SOURCE,
        WEIGHT_FORMATS[dtype],
        stepSource,
        tablesSource,
        exchangeSource,
        reduceSource,
        residentSource,
        layerSource,
        attendSource,
        headSource,
        ...KINDS.map((kind) => productSource.replaceAll('KIND', kind)),
      ],
      constants: { ...constants, QUANTIZED: isQuantized(dtype) },
      bindings: [
        read(0, wholes.layers),
        read(1, wholes.layers),
        write(2, tokens.sequence),
        write(3, tokens.step),
        read(4, tokens.rotation),
        write(5, cache.whole),
        write(6, exchange),
        write(7, tokens.logits),
        { slot: 8, resource: planned, access: 'uniform' },
        read(9, wholes.tables),
        read(10, wholes.tables),
      ],
      workgroups: () => [shape.groups, 1, 1],
    });
    return new Resident(kernel, [exchange, planned]);
  }

  dispose(): void {
    for (const buffer of this.buffers) buffer.destroy();
  }
}
