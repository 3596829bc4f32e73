/**
 * The operations of the forward pass, each for one new token, a few rows and many. On GPUs one and
 * few rows take five dispatches a layer: projections, attention, output, gated MLP, down.
 * Dimension letters: T new tokens, D width, H query heads, G kv heads, K head width, F mlp width.
 */
import type { ModelConfig } from '../model/config';
import type { Activations } from './activations';
import { Attention } from './attention';
import { plainInput, storedOutput, type Fragment } from './fragments';
import type { KvCache } from './cache';
import { read, uniformStep, write } from './kernel';
import type { Kernel, KernelCompiler, KernelSet, Range } from './kernel';
import { norm, normedInput } from './norm';
import { pad8 } from './precision';
import { matvecShapes, Products, type MatvecShapes, type Tiling } from './products';
import { FEW_ROWS, joined, same, type Stage } from './stage';
import { Vocabulary } from './vocabulary';
import type { Matrix } from './weights';
import gluSource from '../../shaders/glu.wgsl';
import outputGluSource from '../../shaders/output_glu.wgsl';
import stepSource from '../../shaders/step.wgsl';

/** Which kernels run, and how products of few rows are shared out; default: by the set. */
export interface KernelChoice extends Tiling {
  set: KernelSet;
  matvec?: Partial<MatvecShapes>;
}

/**
 * From so many rows on the parts of attention are joined once, by a kernel of its own: of fewer, to
 * join them in front of every product costs less than a further dispatch.
 */
const JOINED_ROWS = 4;

/** Compiles operations for one model on one device. */
export class Operations {
  /** Embedding and head. */
  readonly vocabulary: Vocabulary;
  private readonly config: ModelConfig;
  private readonly step: GPUBuffer;
  private readonly isSoftware: boolean;
  private readonly compiler: KernelCompiler;
  private readonly products: Products;
  private readonly attention: Attention;

  /** step: see step.wgsl; rotation: f32 [capacity][K / 2] of (cos, sin). */
  constructor(
    compiler: KernelCompiler,
    config: ModelConfig,
    cache: KvCache,
    { set, matvec, ...tiling }: KernelChoice,
    step: GPUBuffer,
    rotation: GPUBuffer,
  ) {
    this.config = config;
    this.step = step;
    this.isSoftware = set === 'software';
    this.compiler = compiler;
    const subgroups = set !== 'workgroup';
    const { device } = compiler;
    const { isSoftware } = this;
    this.products = new Products(compiler, step, set, matvecShapes(set, matvec), tiling);
    this.attention = new Attention(device, compiler, config, cache, step, rotation, subgroups);
    this.vocabulary = new Vocabulary(device, compiler, this.products, config, step, isSoftware);
  }

  get maxSplits(): number {
    return this.attention.maxSplits;
  }

  /** Norm, q_proj (k_proj and v_proj) and RoPE; keys and values into the cache. */
  async project(
    layer: number,
    matrix: Matrix,
    weight: Range,
    { hidden, normed, qkv }: Activations,
    change: GPUBuffer | null,
  ): Promise<Stage> {
    const { attention } = this;
    const stages = await Promise.all([
      this.norm(hidden, weight, normed),
      this.product(matrix, normed, qkv, attention.qkvWidth, false),
      ...(change ? [this.kernel(attention.store(layer, qkv, change))] : []),
    ]);
    const unfused = joined(stages);
    if (!this.isFused(matrix)) return unfused;
    const output = attention.projected(layer, qkv);
    const input = normedInput(this.config, hidden, weight);
    const batch = async () => [
      ...joined(stages.slice(0, 2)).many,
      await attention.emitted(output, matrix.rows),
    ];
    return this.fused('project', matrix, () => input, output, unfused.many, batch);
  }

  /** Attention of a layer over the keys and values that it reads, after `project`. */
  async attend(
    layer: number,
    projection: Matrix,
    { qkv, attended, attendedParts }: Activations,
  ): Promise<Stage> {
    const { attention } = this;
    const many = [await attention.whole(layer, qkv, attended)];
    if (this.isFused(projection)) {
      const split = (rows: number) =>
        Promise.all([
          attention.split(layer, qkv, attendedParts, rows),
          ...(this.joinsParts(rows) ? [attention.join(attendedParts, attended, rows)] : []),
        ]);
      return { one: await split(1), few: split, many };
    }
    const single = [await attention.whole(layer, qkv, attended, 1)];
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
    const input = (rows: number) =>
      this.isFused(projection) && !this.joinsParts(rows)
        ? this.attention.merged(attendedParts, rows)
        : plainInput(attended, false);
    const store = storedOutput(hidden, pad8(D), true);
    return this.fused('output', matrix, input, store, unfused.many);
  }

  /** Norm, gate_proj, up_proj and silu(gate) * up. */
  async gated(
    matrix: Matrix,
    weight: Range,
    { hidden, normed, gateUp, activated }: Activations,
  ): Promise<Stage> {
    const F = this.config.intermediateSize;
    const norm = this.norm(hidden, weight, normed);
    const output = {
      source: [outputGluSource],
      constants: { Y_STRIDE: pad8(F) },
      bindings: [write(4, activated)],
    };
    const isWhole = matrix.pieces.length === 1;
    if (isWhole && this.isSoftware) {
      const product = this.softwareProduct('gate and up', matrix, normed, output);
      return joined(await Promise.all([norm, product]));
    }
    const product = this.product(matrix, normed, gateUp, 2 * F, false);
    const unfused = joined(await Promise.all([norm, product, this.glu(gateUp, activated)]));
    if (!isWhole) return unfused;
    const input = normedInput(this.config, hidden, weight);
    return this.fused('gate and up', matrix, () => input, output, unfused.many);
  }

  /** down_proj, added to the residual stream. */
  async down(matrix: Matrix, { hidden, activated }: Activations): Promise<Stage> {
    const { hiddenSize: D } = this.config;
    const unfused = await this.product(matrix, activated, hidden, D, true);
    if (this.isSoftware) return unfused;
    const store = storedOutput(hidden, pad8(D), true);
    const input = plainInput(activated, false);
    return this.fused('down', matrix, () => input, store, unfused.many);
  }

  /** A product with the normed residual stream, which takes its place. */
  async shortcut(matrix: Matrix, weight: Range, { hidden, normed }: Activations): Promise<Stage> {
    const { hiddenSize: D } = this.config;
    const product = this.product(matrix, normed, hidden, D, false);
    return joined(await Promise.all([this.norm(hidden, weight, normed), product]));
  }

  /**
   * A product with what is before and after it in one kernel, for one row and for a few; `batch` is
   * for more rows than those.
   */
  private async fused(
    label: string,
    matrix: Matrix,
    input: (rows: number) => Fragment,
    output: Fragment,
    many: Kernel[],
    batch: () => Promise<Kernel[]> = () => Promise.resolve(many),
  ): Promise<Stage> {
    const compile = (rows: number) => this.products.fused(label, matrix, input(rows), output, rows);
    const few = (rows: number) => {
      if (this.products.isTiled(rows)) return batch();
      return compile(rows);
    };
    return { one: await compile(1), few, many };
  }

  /** Few rows of a matrix in one piece take a fused kernel, but not where the GPU is a CPU. */
  private isFused(matrix: Matrix): boolean {
    return !this.isSoftware && matrix.pieces.length === 1;
  }

  private joinsParts(rows: number): boolean {
    return rows >= JOINED_ROWS || this.products.isTiled(rows);
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
    return this.softwareProduct('matvec', matrix, x, storedOutput(y, stride, add));
  }

  /** A product with what is behind it where the GPU is a CPU: of many rows, a few at a time. */
  private async softwareProduct(
    label: string,
    matrix: Matrix,
    x: GPUBuffer,
    output: Fragment,
  ): Promise<Stage> {
    const input = plainInput(x, true);
    const many = await this.products.fused(label, matrix, input, output, FEW_ROWS);
    return this.fused(label, matrix, () => input, output, many);
  }

  private glu(gateUp: GPUBuffer, output: GPUBuffer): Promise<Stage> {
    const F = this.config.intermediateSize;
    const kernel = this.compiler.compile({
      label: 'glu',
      source: [stepSource, gluSource],
      constants: { WIDTH: F, IN_STRIDE: pad8(2 * F), OUT_STRIDE: pad8(F) },
      bindings: [read(0, gateUp), write(1, output), uniformStep(2, this.step)],
      workgroups: ({ count }) => [Math.ceil(F / 64), count, 1],
    });
    return this.kernel(kernel);
  }

  private norm(h: GPUBuffer, weight: Range, x: GPUBuffer): Promise<Stage> {
    return this.kernel(norm(this.compiler, this.config, this.step, { h, weight, x }));
  }

  private async kernel(kernel: Promise<Kernel>): Promise<Stage> {
    return same([await kernel]);
  }
}
