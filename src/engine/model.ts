/**
 * The forward pass as fixed lists of dispatches, built once at load (lckv.md sections 2 and 3).
 * Dimension letters: T new tokens, D width, H query heads, G kv heads, K head width, F mlp width.
 */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import { KernelCompiler, type Binding, type Kernel, type KernelSpec } from './kernel';
import { pad8, type Matrix, type WeightLoader } from './weights';
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
import bf16Source from '../../shaders/weights_bf16.wgsl';
import f16Source from '../../shaders/weights_f16.wgsl';
import f32Source from '../../shaders/weights_f32.wgsl';
import int8Source from '../../shaders/weights_int8.wgsl';

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

/** A layer, cut after its keys and values are stored: early passes of a group end there. */
export interface LayerStages {
  upToKv: Stage[];
  rest: Stage[];
}

/** Tokens whose rows share one load of the weights in matmul.wgsl. */
const MATMUL_TOKENS = 8;
/** Invocations of a workgroup in attend.wgsl. */
const ATTEND_LANES = 64;
/** Tokens that share its loads of keys and values; without subgroups they cost more registers. */
const ATTEND_TOKENS = { subgroup: 8, software: 8, workgroup: 4 };
const WEIGHT_SOURCES = { F32: f32Source, F16: f16Source, BF16: bf16Source, I8: int8Source };

/** The kernels of a model with their buffers, for passes of at most `chunkTokens` new tokens. */
export class Model {
  readonly layers: LayerStages[] = [];
  embed!: Stage;
  /** Final norm of row step.logit_row, lm_head, and the likeliest id into `ids[0]`. */
  head!: Stage;
  /** Token ids of the pass: u32 [chunk]. */
  readonly ids: GPUBuffer;
  /** start, count, logit_row: see step.wgsl. */
  readonly step: GPUBuffer;
  /** The residual stream: f32 [chunk][D padded]. */
  readonly hidden: GPUBuffer;
  /** A cyclic group's input, from which each of its passes starts. */
  readonly groupInput: GPUBuffer;
  /** Rows of a cyclic group's output, gathered as they settle. */
  readonly groupOutput: GPUBuffer;
  /** f32 [vocabSize]. */
  readonly logits: GPUBuffer;
  /** How much a KV layer's rows changed in the last pass: f32 [chunk][2] (see store_kv.wgsl). */
  readonly change = new Map<number, GPUBuffer>();
  readonly chunkTokens: number;
  /** Bytes of one row of `hidden`. */
  readonly hiddenRowBytes: number;

  private readonly buffers: GPUBuffer[] = [];
  private readonly device: GPUDevice;
  private readonly config: ModelConfig;
  private readonly cache: KvCache;
  private readonly compiler: KernelCompiler;
  private readonly kernelSet: KernelSet;
  private readonly rotation: GPUBuffer;

  private constructor(
    device: GPUDevice,
    config: ModelConfig,
    cache: KvCache,
    chunkTokens: number,
    kernelSet: KernelSet,
  ) {
    this.device = device;
    this.config = config;
    this.cache = cache;
    this.kernelSet = kernelSet;
    this.compiler = new KernelCompiler(device);
    this.chunkTokens = Math.ceil(chunkTokens / MATMUL_TOKENS) * MATMUL_TOKENS;
    this.hiddenRowBytes = pad8(config.hiddenSize) * 4;
    this.ids = this.buffer('ids', this.chunkTokens * 4);
    this.hidden = this.rows('hidden', config.hiddenSize);
    this.groupInput = this.rows('group input', config.hiddenSize);
    this.groupOutput = this.rows('group output', config.hiddenSize);
    this.logits = this.buffer('logits', config.vocabSize * 4);
    this.step = this.buffer('step', 16, GPUBufferUsage.UNIFORM);
    this.rotation = this.rotationTable();
  }

  static async build(
    device: GPUDevice,
    config: ModelConfig,
    cache: KvCache,
    weights: WeightLoader,
    chunkTokens: number,
    kernelSet: KernelSet,
  ): Promise<Model> {
    const model = new Model(device, config, cache, chunkTokens, kernelSet);
    await model.buildStages(weights);
    return model;
  }

  dispose(): void {
    for (const buffer of this.buffers) buffer.destroy();
  }

  private async buildStages(weights: WeightLoader): Promise<void> {
    const { hiddenSize: D, intermediateSize: F, heads: H, kvHeads: G, headDim: K } = this.config;
    const normed = this.rows('normed', D);
    const qkv = this.rows('qkv', (H + 2 * G) * K);
    const attended = this.rows('attended', H * K);
    const gateUp = this.rows('gate and up', 2 * F);
    const activated = this.rows('activated', F);

    const embedding = await weights.matrix(['model.embed_tokens.weight']);
    this.embed = await this.embedding(embedding);
    for (const [i, layer] of this.config.layers.entries()) {
      const name = `model.layers.${i}.`;
      const attention = `${name}self_attn.`;
      const projections = layer.computesKv ? ['q_proj', 'k_proj', 'v_proj'] : ['q_proj'];
      const weight = {
        qkv: await weights.matrix(projections.map((p) => `${attention}${p}.weight`)),
        o: await weights.matrix([`${attention}o_proj.weight`]),
        gateUp: await weights.matrix(['gate', 'up'].map((p) => `${name}mlp.${p}_proj.weight`)),
        down: await weights.matrix([`${name}mlp.down_proj.weight`]),
        inputNorm: await weights.vector(`${name}input_layernorm.weight`),
        mlpNorm: await weights.vector(`${name}post_attention_layernorm.weight`),
      };
      // Compiling is asynchronous: all of a layer's kernels at once.
      const [upToKv, rest] = await Promise.all([
        Promise.all([
          this.norm(this.hidden, weight.inputNorm, normed),
          this.linear(weight.qkv, normed, qkv, (H + 2 * G) * K, false),
          ...(layer.computesKv ? [this.storeKv(i, qkv)] : []),
        ]),
        Promise.all([
          this.attend(i, qkv, attended),
          this.linear(weight.o, attended, this.hidden, D, true),
          this.norm(this.hidden, weight.mlpNorm, normed),
          this.linear(weight.gateUp, normed, gateUp, 2 * F, false),
          this.glu(gateUp, activated),
          this.linear(weight.down, activated, this.hidden, D, true),
        ]),
      ]);
      this.layers.push({ upToKv, rest });
    }
    await this.buildHead(weights, embedding);
  }

  private async buildHead(weights: WeightLoader, embedding: Matrix): Promise<void> {
    const { hiddenSize: D, vocabSize } = this.config;
    const finalNorm = await weights.vector('model.norm.weight');
    const matrix = this.config.tieEmbeddings ? embedding : await weights.matrix(['lm_head.weight']);
    const normed = this.buffer('last normed', pad8(D) * 4);
    const stages = await Promise.all([
      this.norm(this.hidden, finalNorm, normed, true),
      this.linear(matrix, normed, this.logits, vocabSize, false),
      this.stage({
        label: 'argmax',
        source: [argmaxSource],
        constants: { VOCAB: vocabSize },
        bindings: [read(0, this.logits), write(1, this.ids)],
        workgroups: () => [1, 1],
      }),
    ]);
    this.head = { one: stages.flatMap(({ one }) => one), many: [] };
  }

  private async embedding(matrix: Matrix): Promise<Stage> {
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
            read(2, this.ids),
            write(3, this.hidden),
            uniform(4, this.step),
          ],
          workgroups: (count) => [Math.ceil(matrix.cols / 8 / 64), count],
        }),
      ),
    );
    return { one: kernels, many: kernels };
  }

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
      bindings: [read(0, h), read(1, weight), write(2, x), uniform(3, this.step)],
      workgroups: (count) => [oneRow ? 1 : count, 1],
    });
  }

  /** y = W x, or y += W x. `width` is the number of columns of y that count. */
  private async linear(
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

  private storeKv(layer: number, qkv: GPUBuffer): Promise<Stage> {
    const { heads: H, kvHeads: G, headDim: K } = this.config;
    const change = this.buffer(`change ${layer}`, this.chunkTokens * 8);
    this.change.set(layer, change);
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

  private async attend(layer: number, qkv: GPUBuffer, output: GPUBuffer): Promise<Stage> {
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

  private glu(gateUp: GPUBuffer, output: GPUBuffer): Promise<Stage> {
    const F = this.config.intermediateSize;
    return this.stage({
      label: 'glu',
      source: [stepSource, gluSource],
      constants: { WIDTH: F, IN_STRIDE: pad8(2 * F), OUT_STRIDE: pad8(F) },
      bindings: [read(0, gateUp), write(1, output), uniform(2, this.step)],
      workgroups: (count) => [Math.ceil(F / 64), count],
    });
  }

  private async stage(spec: KernelSpec): Promise<Stage> {
    const kernels = [await this.compiler.compile(spec)];
    return { one: kernels, many: kernels };
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

const read = (slot: number, buffer: GPUBuffer): Binding => ({ slot, buffer, access: 'read' });
const write = (slot: number, buffer: GPUBuffer): Binding => ({ slot, buffer, access: 'write' });
const uniform = (slot: number, buffer: GPUBuffer): Binding => ({ slot, buffer, access: 'uniform' });

function weightBindings(piece: { buffer: GPUBuffer; scales: GPUBuffer | null }): Binding[] {
  return piece.scales ? [read(0, piece.buffer), read(1, piece.scales)] : [read(0, piece.buffer)];
}
