/**
 * The operations of the forward pass, each for one new token, a few rows and many. On GPUs one and
 * few rows take five dispatches a layer: projections, attention, output, gated MLP, down.
 * Dimension letters: T new tokens, D width, H query heads, G kv heads, K head width, F mlp width.
 */
import type { ModelConfig } from '../model/config';
import { Attention, type AttentionParts } from './attention';
import type { KvCache } from './cache';
import { KernelCompiler, read, uniformStep, write, type Kernel, type KernelSpec } from './kernel';
import {
  MATMUL_TOKENS,
  MATVEC_SUBGROUP,
  MATVEC_WORKGROUP,
  Products,
  weightBindings,
  type Fragment,
  type MatvecShape,
} from './products';
import { joined, same, type Stage } from './stage';
import { pad8 } from './precision';
import { WEIGHT_SOURCES, type Matrix } from './weights';
import argmaxSource from '../../shaders/argmax.wgsl';
import embedSource from '../../shaders/embed.wgsl';
import gluSource from '../../shaders/glu.wgsl';
import inputNormSource from '../../shaders/input_norm.wgsl';
import inputPlainSource from '../../shaders/input_plain.wgsl';
import outputGluSource from '../../shaders/output_glu.wgsl';
import outputStoreSource from '../../shaders/output_store.wgsl';
import rmsnormSource from '../../shaders/rmsnorm.wgsl';
import stepSource from '../../shaders/step.wgsl';

/**
 * Which variants of the kernels run: with subgroups, without, or with subgroups on an adapter that
 * runs on the CPU, where an invocation should have a whole row to itself also in decode.
 */
export type KernelSet = 'subgroup' | 'workgroup' | 'software';

/** Which kernels run, and how products of one row are shared out; default: by the set. */
export interface KernelChoice {
  set: KernelSet;
  matvec?: MatvecShape;
}

/** Activations: f32 rows, padded to a multiple of 8 columns. */
export interface Activations {
  hidden: GPUBuffer;
  normed: GPUBuffer;
  qkv: GPUBuffer;
  attended: GPUBuffer;
  attendedParts: AttentionParts;
  gateUp: GPUBuffer;
  activated: GPUBuffer;
  /** f32 [FEW_ROWS][V padded]. */
  logits: GPUBuffer;
}

/** Invocations of argmax.wgsl where the adapter allows so many. */
const ARGMAX_LANES = { gpu: 1024, software: 256 };

/** Compiles operations for one model on one device. */
export class Operations {
  private readonly device: GPUDevice;
  private readonly config: ModelConfig;
  private readonly step: GPUBuffer;
  private readonly isSoftware: boolean;
  private readonly compiler: KernelCompiler;
  private readonly products: Products;
  private readonly attention: Attention;

  /** step: see step.wgsl; rotation: f32 [capacity][K / 2] of (cos, sin). */
  constructor(
    device: GPUDevice,
    config: ModelConfig,
    cache: KvCache,
    { set, matvec }: KernelChoice,
    step: GPUBuffer,
    rotation: GPUBuffer,
  ) {
    this.device = device;
    this.config = config;
    this.step = step;
    this.isSoftware = set === 'software';
    this.compiler = new KernelCompiler(device);
    const subgroups = set !== 'workgroup';
    const shape = matvec ?? (subgroups ? MATVEC_SUBGROUP : MATVEC_WORKGROUP);
    this.products = new Products(this.compiler, config, step, subgroups, shape);
    this.attention = new Attention(device, this.compiler, config, cache, step, rotation, subgroups);
  }

  get maxSplits(): number {
    return this.attention.maxSplits;
  }

  /** hidden = the embedding rows of the new tokens. */
  async embedding(matrix: Matrix, sequence: GPUBuffer, hidden: GPUBuffer): Promise<Stage> {
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
            write(3, hidden),
            uniformStep(4, this.step),
          ],
          workgroups: ({ count }) => [Math.ceil(matrix.cols / 8 / 64), count, 1],
        }),
      ),
    );
    return same(kernels);
  }

  /** Norm, q_proj (k_proj and v_proj) and RoPE; keys and values into the cache. */
  async project(
    layer: number,
    matrix: Matrix,
    norm: GPUBuffer,
    { hidden, normed, qkv }: Activations,
    change: GPUBuffer | null,
  ): Promise<Stage> {
    const { attention } = this;
    const stages = await Promise.all([
      this.norm(hidden, norm, normed),
      this.product(matrix, normed, qkv, attention.qkvWidth, false),
      ...(change ? [this.kernel(attention.store(layer, qkv, change))] : []),
    ]);
    const unfused = joined(stages);
    if (!this.isFused(matrix)) return unfused;
    const output = attention.projected(layer, qkv);
    return this.fused('project', matrix, this.normed(hidden, norm), output, unfused.many);
  }

  /** Attention of a layer over the keys and values that it reads, after `project`. */
  async attend(
    layer: number,
    projection: Matrix,
    { qkv, attended, attendedParts }: Activations,
  ): Promise<Stage> {
    const many = [await this.attention.whole(layer, qkv, attended)];
    if (this.isFused(projection)) {
      const split = [await this.attention.split(layer, qkv, attendedParts)];
      return { ...same(split), many };
    }
    const single = [await this.attention.whole(layer, qkv, attended, 1)];
    return { ...same(single), many };
  }

  /** o_proj, added to the residual stream. */
  async output(
    matrix: Matrix,
    projection: Matrix,
    { hidden, attended, attendedParts }: Activations,
  ): Promise<Stage> {
    const { hiddenSize: D } = this.config;
    const unfused = await this.product(matrix, attended, hidden, D, true);
    if (this.isSoftware) return unfused;
    const input = this.isFused(projection)
      ? this.attention.merged(attendedParts)
      : plainInput(attended);
    const store = storedOutput(hidden, pad8(D), true);
    return this.fused('output', matrix, input, store, unfused.many);
  }

  /** Norm, gate_proj, up_proj and silu(gate) * up. */
  async gated(
    matrix: Matrix,
    norm: GPUBuffer,
    { hidden, normed, gateUp, activated }: Activations,
  ): Promise<Stage> {
    const F = this.config.intermediateSize;
    const stages = await Promise.all([
      this.norm(hidden, norm, normed),
      this.product(matrix, normed, gateUp, 2 * F, false),
      this.glu(gateUp, activated),
    ]);
    const unfused = joined(stages);
    if (!this.isFused(matrix)) return unfused;
    const output = {
      source: [outputGluSource],
      constants: { Y_STRIDE: pad8(F) },
      bindings: [write(4, activated)],
    };
    return this.fused('gate and up', matrix, this.normed(hidden, norm), output, unfused.many);
  }

  /** down_proj, added to the residual stream. */
  async down(matrix: Matrix, { hidden, activated }: Activations): Promise<Stage> {
    const { hiddenSize: D } = this.config;
    const unfused = await this.product(matrix, activated, hidden, D, true);
    if (this.isSoftware) return unfused;
    const store = storedOutput(hidden, pad8(D), true);
    return this.fused('down', matrix, plainInput(activated), store, unfused.many);
  }

  /**
   * Final norm, lm_head and the likeliest id to the end of the sequence. `one` is for row
   * step.logit_row of any pass, `few` for every row.
   */
  async head(
    matrix: Matrix,
    norm: GPUBuffer,
    { hidden, normed, logits }: Activations,
    sequence: GPUBuffer,
  ): Promise<Stage> {
    const stride = pad8(this.config.vocabSize);
    const last = [await this.argmax(logits, sequence, false)];
    const every = [await this.argmax(logits, sequence, true)];
    if (!this.isSoftware) {
      const store = storedOutput(logits, stride, false);
      const product = (rows: number, oneRow: boolean) =>
        this.products.fused('head', matrix, this.normed(hidden, norm, oneRow), store, rows);
      return {
        one: [...(await product(1, true)), ...last],
        few: async (rows) => [...(await product(rows, false)), ...every],
        many: [],
      };
    }
    const product = (rows: number) =>
      this.products.plainSoftware(matrix, normed, logits, stride, false, rows);
    return {
      one: [...(await this.norm(hidden, norm, normed, true)).one, ...(await product(1)), ...last],
      few: async () => [
        ...(await this.norm(hidden, norm, normed)).one,
        ...(await product(MATMUL_TOKENS)),
        ...every,
      ],
      many: [],
    };
  }

  /** A product with what is before and after it in one kernel, for one row and for a few. */
  private async fused(
    label: string,
    matrix: Matrix,
    input: Fragment,
    output: Fragment,
    many: Kernel[],
  ): Promise<Stage> {
    const compile = (rows: number) => this.products.fused(label, matrix, input, output, rows);
    return { one: await compile(1), few: compile, many };
  }

  /** Few rows of a matrix in one piece take a fused kernel, but not where the GPU is a CPU. */
  private isFused(matrix: Matrix): boolean {
    return !this.isSoftware && matrix.pieces.length === 1;
  }

  /** y = W x, or y += W x. `width` is the number of columns of y that count. */
  private async product(
    matrix: Matrix,
    x: GPUBuffer,
    y: GPUBuffer,
    width: number,
    add: boolean,
  ): Promise<Stage> {
    const stride = pad8(width);
    if (!this.isSoftware) return same(await this.products.plain(matrix, x, y, stride, add));
    const [one, many] = await Promise.all([
      this.products.plainSoftware(matrix, x, y, stride, add, 1),
      this.products.plainSoftware(matrix, x, y, stride, add),
    ]);
    return { one, few: () => Promise.resolve(many), many };
  }

  /** x = RMSNorm(h) of every new token, or of row step.logit_row only. */
  private norm(h: GPUBuffer, weight: GPUBuffer, x: GPUBuffer, oneRow = false): Promise<Stage> {
    return this.stage({
      label: 'rmsnorm',
      source: [stepSource, rmsnormSource],
      constants: {
        STRIDE: pad8(this.config.hiddenSize),
        WIDTH: this.config.hiddenSize,
        EPS: { f32: this.config.rmsNormEps },
        ONE_ROW: oneRow,
      },
      bindings: [read(0, h), read(1, weight), write(2, x), uniformStep(3, this.step)],
      workgroups: ({ count }) => [oneRow ? 1 : count, 1, 1],
    });
  }

  private normed(h: GPUBuffer, weight: GPUBuffer, oneRow = false): Fragment {
    return {
      source: [inputNormSource],
      constants: { NORM: true, ONE_ROW: oneRow },
      bindings: [read(2, h), read(3, weight)],
    };
  }

  private glu(gateUp: GPUBuffer, output: GPUBuffer): Promise<Stage> {
    const F = this.config.intermediateSize;
    return this.stage({
      label: 'glu',
      source: [stepSource, gluSource],
      constants: { WIDTH: F, IN_STRIDE: pad8(2 * F), OUT_STRIDE: pad8(F) },
      bindings: [read(0, gateUp), write(1, output), uniformStep(2, this.step)],
      workgroups: ({ count }) => [Math.ceil(F / 64), count, 1],
    });
  }

  private argmax(logits: GPUBuffer, sequence: GPUBuffer, allRows: boolean): Promise<Kernel> {
    const { vocabSize: V } = this.config;
    const wanted = this.isSoftware ? ARGMAX_LANES.software : ARGMAX_LANES.gpu;
    return this.compiler.compile({
      label: 'argmax',
      source: [stepSource, argmaxSource],
      constants: {
        VOCAB: V,
        STRIDE: pad8(V),
        LANES: Math.min(wanted, this.device.limits.maxComputeInvocationsPerWorkgroup),
        ALL_ROWS: allRows,
      },
      bindings: [read(0, logits), write(1, sequence), write(2, this.step)],
      workgroups: () => [1, 1, 1],
    });
  }

  private async stage(spec: KernelSpec): Promise<Stage> {
    return this.kernel(this.compiler.compile(spec));
  }

  private async kernel(kernel: Promise<Kernel>): Promise<Stage> {
    return same([await kernel]);
  }
}

function plainInput(x: GPUBuffer): Fragment {
  return { source: [inputPlainSource], constants: {}, bindings: [read(2, x)] };
}

function storedOutput(y: GPUBuffer, stride: number, add: boolean): Fragment {
  return {
    source: [outputStoreSource],
    constants: { Y_STRIDE: stride, ADD: add },
    bindings: [write(4, y)],
  };
}
