/**
 * The forward pass as fixed lists of dispatches, built once at load (lckv.md sections 2 and 3).
 * Dimension letters: T new tokens, D width, H query heads, G kv heads, K head width, F mlp width.
 */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import { partsBytes } from './attention';
import type { Activations } from './activations';
import type { KernelCompiler } from './kernel';
import { Operations, type KernelChoice } from './operations';
import type { Recorder } from './recorder';
import type { Resident } from './resident';
import { FEW_ROWS, MOST_ROWS, type Stage } from './stage';
import { packTokens, TOKEN_BYTES } from './token';
import { pad8 } from './precision';
import { embeddingOf, headWeights, layerWeights, shortcutWeights } from './parameters';
import type { WeightLoader } from './weights';

const STEP_BYTES = 20;

/** A layer, cut after its keys and values are stored: early passes of a group end there. */
export interface LayerStages {
  upToKv: Stage[];
  rest: Stage[];
}

/**
 * Of a model so wide, more sequences than so many are faster by matrices of a subgroup than in one dispatch; found
 * with widths of 512 and 2048 (docs/LOG.md).
 */
const WIDE = 1024;
const RESIDENT_ROWS_OF_WIDE = 2;

/** The kernels of a model with their buffers, for passes of at most `chunkTokens` new tokens. */
export class Model {
  readonly layers: LayerStages[] = [];
  /** By target of a cyclic group: makes the group's input about what the target gets. */
  readonly shortcuts = new Map<number, Stage>();
  embed!: Stage;
  /**
   * Final norm of row step.logit_row, lm_head, and the likeliest id to the end of `sequence`. The
   * step is then that of a pass for this token.
   */
  head!: Stage;
  /** Token ids by position: u32 [capacity + 1]. */
  readonly sequence: GPUBuffer;
  /** See step.wgsl. */
  readonly step: GPUBuffer;
  /** f32 [capacity][K / 2] of (cos, sin). */
  readonly rotation: GPUBuffer;
  /** Decodes a token in one dispatch, where the device is known to run all of it at once. */
  resident: Resident | null = null;
  /** Most sequences that it is the fastest for. */
  readonly mostResident: number;
  /** The residual stream: f32 [chunk][D padded]. */
  readonly hidden: GPUBuffer;
  /** A cyclic group's input, from which each of its passes starts. */
  readonly groupInput: GPUBuffer;
  /** Rows of a cyclic group's output, gathered as they settle. */
  readonly groupOutput: GPUBuffer;
  /** f32 [mostRows][V padded]; row 0 unless the pass had several branches or sequences. */
  readonly logits: GPUBuffer;
  /** How much a KV layer's rows changed in the last pass: f32 [chunk][2] (see store_kv.wgsl). */
  readonly change = new Map<number, GPUBuffer>();
  readonly chunkTokens: number;
  /** Most branches or sequences of a pass. */
  readonly mostRows: number;
  /** Bytes of one row of `hidden`. */
  readonly hiddenRowBytes: number;

  private readonly buffers: GPUBuffer[] = [];
  private readonly device: GPUDevice;
  private readonly config: ModelConfig;
  private readonly cache: KvCache;
  private readonly operations: Operations;

  private constructor(
    compiler: KernelCompiler,
    config: ModelConfig,
    cache: KvCache,
    chunkTokens: number,
    kernels: KernelChoice,
  ) {
    this.device = compiler.device;
    this.config = config;
    this.cache = cache;
    this.chunkTokens = Math.ceil(chunkTokens / FEW_ROWS) * FEW_ROWS;
    this.mostRows = Math.min(MOST_ROWS, this.chunkTokens);
    const isByMatrices = kernels.matrices && compiler.matrixUnit && config.hiddenSize >= WIDE;
    this.mostResident = isByMatrices ? RESIDENT_ROWS_OF_WIDE : FEW_ROWS;
    this.hiddenRowBytes = pad8(config.hiddenSize) * 4;
    this.sequence = this.buffer('sequence', (cache.capacity + 1) * TOKEN_BYTES);
    this.hidden = this.rows('hidden', config.hiddenSize);
    this.groupInput = this.rows('group input', config.hiddenSize);
    this.groupOutput = this.rows('group output', config.hiddenSize);
    this.logits = this.buffer('logits', this.mostRows * pad8(config.vocabSize) * 4);
    this.step = this.buffer('step', STEP_BYTES, GPUBufferUsage.UNIFORM | GPUBufferUsage.STORAGE);
    this.rotation = this.rotationTable();
    this.operations = new Operations(compiler, config, cache, kernels, this.step, this.rotation);
  }

  static async build(
    compiler: KernelCompiler,
    config: ModelConfig,
    cache: KvCache,
    weights: WeightLoader,
    chunkTokens: number,
    kernels: KernelChoice,
  ): Promise<Model> {
    const model = new Model(compiler, config, cache, chunkTokens, kernels);
    await model.buildStages(weights);
    return model;
  }

  /** Says which rows the passes have that are recorded next; `slots` and `from`: see Step of step.wgsl. */
  writeStep(
    recorder: Recorder,
    start: number,
    count: number,
    { logitRow = count - 1, slots = 0, from = 0 } = {},
  ): void {
    recorder.write(this.step, 0, new Uint32Array([start, count, logitRow, slots, from]));
  }

  /** Says which tokens stand at the positions from `start` on. */
  writeSequence(recorder: Recorder, start: number, tokens: readonly number[]): void {
    recorder.write(this.sequence, start * TOKEN_BYTES, packTokens(tokens));
  }

  /** It got stuck: the device runs less of it at once than it did when it was tried. */
  leaveResident(): void {
    this.resident?.dispose();
    this.resident = null;
  }

  dispose(): void {
    this.resident?.dispose();
    for (const buffer of this.buffers) buffer.destroy();
  }

  private async buildStages(weights: WeightLoader): Promise<void> {
    const { operations } = this;
    const rows = this.activations();
    const embedding = await embeddingOf(weights);
    this.embed = await operations.vocabulary.embedding(embedding, this.sequence, this.hidden);
    // Compiling is asynchronous: it goes on while the weights are read.
    const compiling: Promise<LayerStages>[] = [];
    for (const [i, layer] of this.config.layers.entries()) {
      const weight = await layerWeights(weights, i, layer.computesKv);
      const change = layer.computesKv ? this.changeOf(i) : null;
      const stages = Promise.all([
        operations.project(i, weight.qkv, weight.inputNorm, rows, change),
        operations.attend(i, weight.qkv, rows),
        operations.output(weight.o, weight.qkv, rows),
        operations.gated(weight.gateUp, weight.mlpNorm, rows),
        operations.down(weight.down, rows),
      ]).then(([project, ...rest]) => ({ upToKv: [project], rest }));
      stages.catch(() => {}); // told below, unless reading fails first
      compiling.push(stages);
    }
    const shortcuts = this.config.shortcut ? this.config.groups.filter(({ cyclic }) => cyclic) : [];
    for (const group of shortcuts) {
      const { matrix, norm } = await shortcutWeights(weights, group);
      this.shortcuts.set(group.targets[0], await operations.shortcut(matrix, norm, rows));
    }
    const { matrix, norm } = await headWeights(weights, this.config);
    this.head = await operations.vocabulary.head(matrix, norm, rows, this.sequence);
    this.layers.push(...(await Promise.all(compiling)));
  }

  private activations(): Activations {
    const { hiddenSize: D, intermediateSize: F, heads: H, kvHeads: G, headDim: K } = this.config;
    const parts = partsBytes(this.config, this.operations.maxSplits, this.mostRows);
    return {
      hidden: this.hidden,
      logits: this.logits,
      normed: this.rows('normed', D),
      qkv: this.rows('qkv', (H + 2 * G) * K),
      attended: this.rows('attended', H * K),
      attendedParts: this.buffer('attended parts', parts),
      gateUp: this.rows('gate and up', 2 * F),
      activated: this.rows('activated', F),
    };
  }

  private changeOf(layer: number): GPUBuffer {
    const buffer = this.buffer(`change ${layer}`, this.chunkTokens * 8);
    this.change.set(layer, buffer);
    return buffer;
  }

  /** (cos, sin) of position * theta^(-2i/K): f32 [capacity][K / 2][2], computed in double. */
  private rotationTable(): GPUBuffer {
    const half = this.config.headDim / 2;
    const table = new Float32Array(this.cache.capacity * half * 2);
    for (let position = 0; position < this.cache.capacity; position++) {
      for (let i = 0; i < half; i++) {
        const angle = position * this.config.ropeTheta ** (-i / half);
        table[(position * half + i) * 2] = Math.cos(angle);
        table[(position * half + i) * 2 + 1] = Math.sin(angle);
      }
    }
    const buffer = this.buffer('rotation', table.byteLength);
    this.device.queue.writeBuffer(buffer, 0, table);
    return buffer;
  }

  /** A buffer of one f32 row for each new token; rows are padded to a multiple of 8 columns. */
  private rows(label: string, columns: number): GPUBuffer {
    return this.buffer(label, this.chunkTokens * pad8(columns) * 4);
  }

  private buffer(label: string, size: number, usage: number = GPUBufferUsage.STORAGE): GPUBuffer {
    const copies = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.device.createBuffer({ label, size, usage: usage | copies });
    this.buffers.push(buffer);
    return buffer;
  }
}
