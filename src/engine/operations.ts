/**
 * The operations of the forward pass: which shader, with which constants, on which buffers.
 * Dimension letters: T new tokens, D width, H query heads, G kv heads, K head width, F mlp width.
 */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import { KernelCompiler, type Binding, type Kernel, type KernelSpec } from './kernel';
import { pad8 } from './precision';
import { WEIGHT_SOURCES, type Matrix } from './weights';
import argmaxSource from '../../shaders/argmax.wgsl';
import attendSource from '../../shaders/attend.wgsl';
import embedSource from '../../shaders/embed.wgsl';
import gluSource from '../../shaders/glu.wgsl';
import matmulSource from '../../shaders/matmul.wgsl';
import matmulSubgroupSource from '../../shaders/matmul_subgroup.wgsl';
import matvecSource from '../../shaders/matvec.wgsl';
import matvecSubgroupSource from '../../shaders/matvec_subgroup.wgsl';
import rmsnormSource from '../../shaders/rmsnorm.wgsl';
import scratchPlainSource from '../../shaders/scratch_plain.wgsl';
import scratchSubgroupSource from '../../shaders/scratch_subgroup.wgsl';
import stepSource from '../../shaders/step.wgsl';
import storeKvSource from '../../shaders/store_kv.wgsl';
import visibleSource from '../../shaders/visible.wgsl';

/**
 * Which variants of the kernels run: with subgroups, without, or with subgroups on an adapter that
 * runs on the CPU, where an invocation should have a whole row to itself also in decode.
 */
export type KernelSet = 'subgroup' | 'workgroup' | 'software';

/** One operation: what runs for a single new token, and what for several. */
export interface Stage {
  one: Kernel[];
  many: Kernel[];
}

/** Tokens whose rows share one load of the weights in matmul.wgsl. */
export const MATMUL_TOKENS = 8;
/** Invocations of a workgroup in attend.wgsl. */
const ATTEND_LANES = 64;
/** Tokens that share its loads of keys and values; without subgroups they cost more registers. */
const ATTEND_TOKENS = { subgroup: 8, software: 8, workgroup: 4 };

/** Compiles operations for one model on one device. */
export class Operations {
  private readonly device: GPUDevice;
  private readonly config: ModelConfig;
  private readonly cache: KvCache;
  private readonly kernelSet: KernelSet;
  private readonly step: GPUBuffer;
  private readonly rotation: GPUBuffer;
  private readonly compiler: KernelCompiler;

  /** step: see step.wgsl; rotation: f32 [capacity][K / 2] of (cos, sin). */
  constructor(
    device: GPUDevice,
    config: ModelConfig,
    cache: KvCache,
    kernelSet: KernelSet,
    step: GPUBuffer,
    rotation: GPUBuffer,
  ) {
    this.device = device;
    this.config = config;
    this.cache = cache;
    this.kernelSet = kernelSet;
    this.step = step;
    this.rotation = rotation;
    this.compiler = new KernelCompiler(device);
  }

  /** h = the embedding rows of the new tokens. */
  async embedding(matrix: Matrix, sequence: GPUBuffer, h: GPUBuffer): Promise<Stage> {
    const kernels = await Promise.all(
      matrix.pieces.map((piece) =>
        this.compiler.compile({
          label: 'embed',
          source: [WEIGHT_SOURCES[matrix.dtype], stepSource, embedSource],
          constants: {
            BLOCKS: matrix.cols / 8,
            ROWS: piece.rows,
            ROW_OFFSET: piece.rowOffset,
            STRIDE: matrix.cols,
          },
          bindings: [
            ...weightBindings(piece),
            read(2, sequence),
            write(3, h),
            uniform(4, this.step),
          ],
          workgroups: (count) => [Math.ceil(matrix.cols / 8 / 64), count],
        }),
      ),
    );
    return { one: kernels, many: kernels };
  }

  /** x = RMSNorm(h) of every new token, or of row step.logit_row only. */
  norm(h: GPUBuffer, weight: GPUBuffer, x: GPUBuffer, oneRow = false): Promise<Stage> {
    return this.stage({
      label: 'rmsnorm',
      source: [stepSource, rmsnormSource],
      constants: {
        STRIDE: pad8(this.config.hiddenSize),
        WIDTH: this.config.hiddenSize,
        EPS: { f32: this.config.rmsNormEps },
        ONE_ROW: oneRow,
      },
      bindings: [read(0, h), read(1, weight), write(2, x), uniform(3, this.step)],
      workgroups: (count) => [oneRow ? 1 : count, 1],
    });
  }

  /** y = W x, or y += W x. `width` is the number of columns of y that count. */
  async linear(
    matrix: Matrix,
    x: GPUBuffer,
    y: GPUBuffer,
    width: number,
    add: boolean,
  ): Promise<Stage> {
    const stages = matrix.pieces.map((piece) => {
      const weightSource = WEIGHT_SOURCES[matrix.dtype];
      const common = {
        BLOCKS: matrix.cols / 8,
        ROWS: piece.rows,
        ROW_OFFSET: piece.rowOffset,
        Y_STRIDE: pad8(width),
        ADD: add,
      };
      const bindings = [...weightBindings(piece), read(2, x), write(3, y)];
      const matmul = (tokens: number, subgroups: boolean) =>
        this.compiler.compile({
          label: 'matmul',
          directives: subgroups ? 'enable subgroups;' : undefined,
          source: [weightSource, stepSource, subgroups ? matmulSubgroupSource : matmulSource],
          constants: { ...common, TOKENS: tokens },
          bindings: [...bindings, uniform(4, this.step)],
          workgroups: (count) => [Math.ceil(piece.rows / 64), Math.ceil(count / tokens)],
        });
      const matvec = (subgroups: boolean) =>
        this.compiler.compile({
          label: 'matvec',
          directives: subgroups ? 'enable subgroups;\nrequires subgroup_id;' : undefined,
          source: [weightSource, subgroups ? matvecSubgroupSource : matvecSource],
          constants: common,
          bindings,
          workgroups: () => [Math.ceil(piece.rows / 8), 1],
        });
      switch (this.kernelSet) {
        case 'software':
          return Promise.all([matmul(1, true), matmul(MATMUL_TOKENS, true)]);
        case 'subgroup':
          return Promise.all([matvec(true), matmul(MATMUL_TOKENS, true)]);
        case 'workgroup':
          return Promise.all([matvec(false), matmul(MATMUL_TOKENS, false)]);
      }
    });
    const kernels = await Promise.all(stages);
    return { one: kernels.map(([one]) => one), many: kernels.map(([, many]) => many) };
  }

  /** Rotated keys, and values, into the cache; how much they changed into `change`. */
  storeKv(layer: number, qkv: GPUBuffer, change: GPUBuffer): Promise<Stage> {
    const { heads: H, kvHeads: G, headDim: K } = this.config;
    return this.stage({
      label: 'store kv',
      source: [stepSource, storeKvSource],
      constants: {
        QKV_STRIDE: (H + 2 * G) * K,
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
        uniform(5, this.step),
      ],
      workgroups: (count) => [count, 1],
    });
  }

  /** Attention of a layer over the keys and values that it reads. */
  async attend(layer: number, qkv: GPUBuffer, output: GPUBuffer): Promise<Stage> {
    const { heads: H, kvHeads: G, headDim: K } = this.config;
    const { reads, strict, window } = this.config.layers[layer];
    const subgroups = this.kernelSet !== 'workgroup';
    const compile = (tokens: number) =>
      this.compiler.compile({
        label: 'attend',
        directives: subgroups ? 'enable subgroups;' : undefined,
        source: [
          stepSource,
          visibleSource,
          attendSource,
          subgroups ? scratchSubgroupSource : scratchPlainSource,
        ],
        constants: {
          TOKENS: tokens,
          LANES: ATTEND_LANES,
          BLOCK: this.attendBlock(tokens),
          QKV_STRIDE: (H + 2 * G) * K,
          KV_WIDTH: G * K,
          O_STRIDE: H * K,
          HEAD_DIM: K,
          QUERIES_PER_KV: H / G,
          STRICT: strict,
          WINDOW: window ?? 0,
        },
        bindings: [
          read(0, qkv),
          read(1, this.rotation),
          read(2, this.cache.keys.get(reads)!),
          read(3, this.cache.values.get(reads)!),
          write(4, output),
          uniform(5, this.step),
        ],
        workgroups: (count) => [H, Math.ceil(count / tokens)],
      });
    const [one, many] = await Promise.all([compile(1), compile(ATTEND_TOKENS[this.kernelSet])]);
    return { one: [one], many: [many] };
  }

  /** Positions that attend.wgsl takes at a time: what fits workgroup memory, at most 256. */
  private attendBlock(tokens: number): number {
    const floats = this.device.limits.maxComputeWorkgroupStorageSize / 4;
    const perPosition = floats / tokens - this.config.headDim - ATTEND_LANES - 3;
    return Math.min(256, Math.floor(perPosition / ATTEND_LANES) * ATTEND_LANES);
  }

  /** silu(gate) * up. */
  glu(gateUp: GPUBuffer, output: GPUBuffer): Promise<Stage> {
    const F = this.config.intermediateSize;
    return this.stage({
      label: 'glu',
      source: [stepSource, gluSource],
      constants: { WIDTH: F, IN_STRIDE: pad8(2 * F), OUT_STRIDE: pad8(F) },
      bindings: [read(0, gateUp), write(1, output), uniform(2, this.step)],
      workgroups: (count) => [Math.ceil(F / 64), count],
    });
  }

  /** The index of the largest logit to the end of the sequence; moves the step on. */
  argmax(logits: GPUBuffer, sequence: GPUBuffer): Promise<Stage> {
    return this.stage({
      label: 'argmax',
      source: [stepSource, argmaxSource],
      constants: { VOCAB: this.config.vocabSize },
      bindings: [read(0, logits), write(1, sequence), write(2, this.step)],
      workgroups: () => [1, 1],
    });
  }

  private async stage(spec: KernelSpec): Promise<Stage> {
    const kernels = [await this.compiler.compile(spec)];
    return { one: kernels, many: kernels };
  }
}

const read = (slot: number, buffer: GPUBuffer): Binding => ({ slot, buffer, access: 'read' });
const write = (slot: number, buffer: GPUBuffer): Binding => ({ slot, buffer, access: 'write' });
const uniform = (slot: number, buffer: GPUBuffer): Binding => ({ slot, buffer, access: 'uniform' });

function weightBindings(piece: { buffer: GPUBuffer; scales: GPUBuffer | null }): Binding[] {
  return piece.scales ? [read(0, piece.buffer), read(1, piece.scales)] : [read(0, piece.buffer)];
}
