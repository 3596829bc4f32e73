/** The two ends of a forward pass: token ids to the residual stream, and that to the next token ids. */
import type { ModelConfig } from '../model/config';
import type { Activations } from './activations';
import { read, uniformStep, write, type Kernel, type KernelCompiler, type Range } from './kernel';
import { norm, normedInput } from './norm';
import { pad8 } from './precision';
import { plainInput, storedOutput } from './fragments';
import type { Products } from './products';
import { same, type Stage } from './stage';
import { weightBindings, weightSource } from './formats';
import type { Matrix } from './weights';
import advanceSource from '../../shaders/advance.wgsl';
import argmaxSource from '../../shaders/argmax.wgsl';
import embedSource from '../../shaders/embed.wgsl';
import stepSource from '../../shaders/step.wgsl';

/** Invocations of argmax.wgsl where the adapter allows so many. */
const ARGMAX_LANES = { gpu: 1024, software: 256 };

/** Compiles embedding and head of one model. */
export class Vocabulary {
  private readonly compiler: KernelCompiler;
  private readonly products: Products;
  private readonly config: ModelConfig;
  private readonly step: GPUBuffer;
  private readonly isSoftware: boolean;
  private readonly argmaxLanes: number;

  /** step: see step.wgsl. */
  constructor(
    { limits }: GPUDevice,
    compiler: KernelCompiler,
    products: Products,
    config: ModelConfig,
    step: GPUBuffer,
    isSoftware: boolean,
  ) {
    this.compiler = compiler;
    this.products = products;
    this.config = config;
    this.step = step;
    this.isSoftware = isSoftware;
    const wanted = isSoftware ? ARGMAX_LANES.software : ARGMAX_LANES.gpu;
    this.argmaxLanes = Math.min(wanted, limits.maxComputeInvocationsPerWorkgroup);
  }

  /** hidden = the embedding rows of the new tokens. */
  async embedding(matrix: Matrix, sequence: GPUBuffer, hidden: GPUBuffer): Promise<Stage> {
    const kernels = await Promise.all(
      matrix.pieces.map((piece) =>
        this.compiler.compile({
          label: 'embed',
          source: [weightSource(matrix.dtype), stepSource, embedSource],
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

  /**
   * Final norm, lm_head and the likeliest id to the end of the sequence. `one` is for row
   * step.logit_row of any pass, `few` for every row.
   */
  async head(
    matrix: Matrix,
    weight: Range,
    { hidden, normed, logits }: Activations,
    sequence: GPUBuffer,
  ): Promise<Stage> {
    const stride = pad8(this.config.vocabSize);
    const last = [await this.argmax(logits, sequence, false)];
    const every = [await this.argmax(logits, sequence, true), await this.advance()];
    const store = storedOutput(logits, stride, false);
    if (!this.isSoftware) {
      const product = (rows: number, oneRow: boolean) =>
        this.products.fused(
          'head',
          matrix,
          normedInput(this.config, hidden, weight, oneRow),
          store,
          rows,
        );
      const batch = async () => [
        await norm(this.compiler, this.config, this.step, { h: hidden, weight, x: normed }),
        ...(await this.products.plain(matrix, normed, logits, stride, false)),
      ];
      return {
        one: [...(await product(1, true)), ...last],
        few: async (rows) => [
          ...(await (this.products.isTiled(rows) ? batch() : product(rows, false))),
          ...every,
        ],
        many: [],
      };
    }
    const product = (rows: number) =>
      this.products.fused('head', matrix, plainInput(normed, true), store, rows);
    const rows = { h: hidden, weight, x: normed };
    const normOf = (oneRow: boolean) => norm(this.compiler, this.config, this.step, rows, oneRow);
    return {
      one: [await normOf(true), ...(await product(1)), ...last],
      few: async (count) => [await normOf(false), ...(await product(count)), ...every],
      many: [],
    };
  }

  private argmax(logits: GPUBuffer, sequence: GPUBuffer, allRows: boolean): Promise<Kernel> {
    const { vocabSize: V } = this.config;
    return this.compiler.compile({
      label: 'argmax',
      source: [stepSource, argmaxSource],
      constants: {
        VOCAB: V,
        STRIDE: pad8(V),
        LANES: this.argmaxLanes,
        ALL_ROWS: allRows,
      },
      bindings: [read(0, logits), write(1, sequence), write(2, this.step)],
      workgroups: ({ count }) => [allRows ? count : 1, 1, 1],
    });
  }

  /** The step becomes that of a pass for the tokens that argmax has chosen. */
  private advance(): Promise<Kernel> {
    return this.compiler.compile({
      label: 'advance',
      source: [stepSource, advanceSource],
      constants: {},
      bindings: [write(0, this.step)],
      workgroups: () => [1, 1, 1],
    });
  }
}
