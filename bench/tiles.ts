/**
 * `tiles`: products of many rows by the tile that a workgroup takes (MatmulShape), for every kind of
 * matrix of a model, by tokens. Each is checked against a plain kernel before it is timed, alone and
 * again and again, so that a matrix comes from the nearest cache that holds it. The last table has the
 * fastest shape of each problem beside the one that the engine takes (`matmulRanges`).
 *
 * `--tiles '64,64,8,8,2,1,1;...'` are rows, tokens, rows and tokens of an invocation, blocks of a slab,
 * parts and 1 where the next slab is loaded early; MATMUL_SHAPES are always among them.
 */
import { parseArgs } from 'node:util';
import {
  bindableBytes,
  KernelCompiler,
  read,
  uniformStep,
  write,
  type Kernel,
} from '../src/engine/kernel';
import {
  fits,
  matmul,
  MATMUL_SHAPES,
  matmulRanges,
  type MatmulEnds,
  type MatmulShape,
} from '../src/engine/matmul';
import { plainInput, storedOutput } from '../src/engine/fragments';
import type { MatrixUnit } from '../src/engine/gpu';
import {
  canRun,
  extentOf,
  MATRIX_SHAPES,
  matrixProduct,
  type MatrixShape,
} from '../src/engine/matrices';
import { pad8, type Precision } from '../src/engine/precision';
import { Readback } from '../src/engine/readback';
import { seededRandom } from '../src/engine/sample';
import { groupsOf, type Ranged } from '../src/engine/tiles';
import { weightBindings, weightSource } from '../src/engine/formats';
import { WeightLoader, type Matrix } from '../src/engine/weights';
import { relativeError } from '../test/compare';
import { normal } from '../test/random-source';
import stepSource from '../shaders/step.wgsl';
import { deviceName, numbers, openGpu, report, round, type Row } from './report';
import { madeUp, matrixShape, modelOptions, tileName, tileShape } from './shapes';
import { timeDispatch } from './trace';

/** Tiles that may be fast beside MATMUL_SHAPES. */
const CANDIDATES = [
  '128,128,8,8,2,1,0', // the same without loading ahead
  '128,128,8,8,4,1,1', // 32 KiB
  '64,128,8,8,2,1,1',
  '128,64,8,8,2,1,0',
  '128,64,8,8,4,1,1', // 24 KiB
  '128,64,8,4,2,1,1',
  '64,64,8,8,2,1,1',
  '64,64,8,8,4,2,1',
  '64,64,8,4,4,1,1',
  '64,64,8,4,4,2,1',
  '64,64,4,4,4,1,1',
  '64,32,8,4,4,2,1',
  '64,32,4,4,4,1,1',
  '32,64,4,8,4,2,1',
  '32,64,4,4,4,1,0',
  '32,32,4,4,4,4,1',
  '32,32,4,4,8,4,1',
  '32,32,8,4,8,8,1',
  '32,32,4,4,4,1,1',
  '32,16,4,4,8,8,1',
  '16,64,4,4,4,4,1',
  '16,32,4,4,8,8,1',
  '16,16,4,4,8,8,1',
  '32,8,4,4,8,8,1',
  '64,8,4,4,8,4,1',
  '64,8,8,8,8,8,1',
];
/** Shapes in the last table. */
const BEST = 3;
/** By matrices of a subgroup, where the device has them. */
const MATRIX_CANDIDATES = [
  'm2,2,2,2,1,4', // 64 × 64
  'm2,2,2,2,1,8',
  'm2,2,4,2,1,4', // 128 × 64
  'm2,2,2,4,1,4', // 64 × 128
  'm2,2,4,4,1,4', // 128 × 128
  'm4,2,2,4,1,4',
  'm2,4,4,2,1,4',
  'm2,4,4,2,1,8',
  'm4,2,2,2,1,4', // 128 × 64
  'm4,2,2,2,1,8',
  'm2,2,1,2,1,8', // 32 × 64
  'm2,2,1,1,2,8', // 32 × 32
  'm2,1,1,2,4,8',
  'm2,1,1,1,4,8', // 32 × 16
  'm2,1,1,1,4,16',
  'm1,1,1,1,8,16', // 16 × 16
  'm1,1,1,1,4,16',
  'm1,1,1,1,8,32',
  'm1,1,1,2,8,16',
  'm1,1,1,4,8,16',
  'm1,1,1,4,4,16',
  'm2,1,1,4,4,16',
  'm4,1,1,4,2,16',
];
/** Tokens at either end whose products are compared, and how far they may be apart. */
const COMPARED_TOKENS = 16;
const TOLERANCE = { tiles: 1e-4, matrices: 1e-3 };

// What a product is, as plainly as can be: an invocation owns one sum.
const PLAIN = `
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> step: Step;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ROWS) { return; }
  var sum = 0.0;
  for (var block = 0u; block < BLOCKS; block++) {
    let w = load8(id.x, block);
    let at = (id.y * BLOCKS + block) * 2u;
    sum += dot(w[0], x[at]) + dot(w[1], x[at + 1u]);
  }
  y[id.y * Y_STRIDE + id.x] = sum;
}`;

/** Runs the benchmark. */
export async function tiles(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ...modelOptions,
      tokens: { type: 'string', default: '8,16,64,128,512,1024' },
      matrices: { type: 'string', default: 'qkv,o,gateUp,down' },
      tiles: { type: 'string', default: [...CANDIDATES, ...MATRIX_CANDIDATES].join(';') },
      repeats: { type: 'string', default: '10' },
    },
  });
  const gpu = await openGpu({ timestamps: true });
  const { device } = gpu;
  const tokens = numbers(values.tokens);
  const { matrixUnit: unit } = gpu;
  if (unit) console.log('matrices of a subgroup:', unit);
  const shapes = [
    ...MATMUL_SHAPES,
    ...MATRIX_SHAPES,
    ...values.tiles.split(';').filter(Boolean).map(anyShape),
  ];
  const isPossible = (shape: AnyShape) =>
    isMatrixShape(shape) ? unit && canRun(shape, unit, device) : fits(shape, device);
  const all: Row[] = [];
  const best: Row[] = [];
  for (const { names, source, precision } of madeUp(values)) {
    const maxPieceBytes = bindableBytes(device);
    const options = { maxPieceBytes, precision: precision as Precision, isWhole: true };
    const weights = new WeightLoader(device, source, options);
    for (const kind of values.matrices.split(',')) {
      const matrix = await weights.matrix(TENSORS[kind].map((name) => `model.layers.0.${name}`));
      const bench = new MatrixBench(device, unit, matrix, Math.max(...tokens));
      const rows: Row[] = [];
      const kernels = await Promise.all(
        shapes
          .filter(isPossible)
          .map(async (shape) => ({ shape, kernel: await bench.compile(shape) })),
      );
      for (const count of tokens) {
        await bench.expect(count);
        for (const { shape, kernel } of kernels) {
          const us = kernel && (await bench.measure(shape, kernel, count, Number(values.repeats)));
          rows.push({
            ...{ ...names, matrix: kind, rows: matrix.rows, cols: matrix.cols, tokens: count },
            tile: nameOf(shape),
            groups: countOf(shape, unit, matrix.rows, count),
            us: us === null ? null : round(us),
            tflops: us === null ? null : round((2 * matrix.rows * matrix.cols * count) / us / 1e6),
            verdict: us === null ? (kernel ? 'WRONG' : 'DOES NOT COMPILE') : '',
          });
        }
      }
      bench.dispose();
      for (const count of tokens) best.push(bestOf(rows, matrix.rows, count));
      all.push(...rows);
    }
    weights.dispose();
  }
  report('tiles', deviceName(gpu), all);
  console.table(best);
  if (all.some(({ verdict }) => verdict)) throw new Error('A shape computes wrong products.');
}

/** Tensors of a layer that make a matrix. */
const TENSORS: Record<string, string[]> = {
  qkv: ['q', 'k', 'v'].map((name) => `self_attn.${name}_proj.weight`),
  o: ['self_attn.o_proj.weight'],
  gateUp: ['gate', 'up'].map((name) => `mlp.${name}_proj.weight`),
  down: ['mlp.down_proj.weight'],
};

type AnyShape = MatmulShape | MatrixShape;

function isMatrixShape(shape: AnyShape): shape is MatrixShape {
  return 'rowSubgroups' in shape;
}

function anyShape(option: string): AnyShape {
  return option.startsWith('m') ? matrixShape(option.slice(1)) : tileShape(option);
}

function nameOf(shape: AnyShape): string {
  return isMatrixShape(shape) ? `m${Object.values(shape).join()}` : tileName(shape);
}

function countOf(shape: AnyShape, unit: MatrixUnit | null, rows: number, tokens: number): number {
  const [x, y] = groupsOf(isMatrixShape(shape) ? extentOf(shape, unit!) : shape, rows, tokens);
  return x * y;
}

/** One matrix with random rows to multiply. */
class MatrixBench {
  private readonly compiler: KernelCompiler;
  private readonly readback: Readback;
  private readonly device: GPUDevice;
  private readonly unit: MatrixUnit | null;
  private readonly matrix: Matrix;
  private readonly ends: MatmulEnds;
  private readonly expected: GPUBuffer;
  private readonly plain: Promise<Kernel>;

  constructor(device: GPUDevice, unit: MatrixUnit | null, matrix: Matrix, tokens: number) {
    this.device = device;
    this.unit = unit;
    this.matrix = matrix;
    this.compiler = new KernelCompiler(device);
    this.readback = new Readback(device);
    const { STORAGE, UNIFORM, COPY_DST, COPY_SRC } = GPUBufferUsage;
    const buffer = (size: number) =>
      device.createBuffer({ size, usage: STORAGE | COPY_DST | COPY_SRC });
    const stride = pad8(matrix.rows);
    const x = buffer(tokens * matrix.cols * 4);
    const step = device.createBuffer({ size: 20, usage: UNIFORM | COPY_DST });
    this.ends = { x, y: buffer(tokens * stride * 4), stride, add: false, step };
    this.expected = buffer(tokens * stride * 4);
    const random = seededRandom(5);
    const rows = Float32Array.from({ length: tokens * matrix.cols }, () => normal(random));
    device.queue.writeBuffer(x, 0, rows);
    this.plain = this.compiler.compile({
      label: 'plain product',
      source: [weightSource(matrix.dtype), stepSource, PLAIN],
      constants: { BLOCKS: matrix.cols / 8, ROWS: matrix.rows, Y_STRIDE: stride },
      bindings: [
        ...weightBindings(matrix.pieces[0]),
        ...[read(2, x), write(3, this.expected), uniformStep(4, step)],
      ],
      workgroups: ({ count }) => [Math.ceil(matrix.rows / 64), count, 1],
    });
  }

  /** Null, and the reason on the console, where a device refuses it. */
  async compile(shape: AnyShape): Promise<Kernel | null> {
    const { compiler, matrix, ends, unit } = this;
    const [piece] = matrix.pieces;
    try {
      if (!isMatrixShape(shape)) return await matmul(compiler, matrix, piece, ends, shape);
      const { x, y, stride, add, step } = ends;
      const both = { input: plainInput(x), output: storedOutput(y, stride, add), step };
      return await matrixProduct(compiler, 'matrices', matrix, piece, both, shape, unit!);
    } catch (error) {
      console.error(nameOf(shape), error);
      return null;
    }
  }

  /** From now on products are with so many tokens. */
  async expect(count: number): Promise<void> {
    this.device.queue.writeBuffer(this.ends.step, 0, new Uint32Array([0, count, 0, 0, 0]));
    await this.run(await this.plain, count, 1);
  }

  /** Least microseconds of a product, or null where it is wrong. */
  async measure(
    shape: AnyShape,
    kernel: Kernel,
    count: number,
    repeats: number,
  ): Promise<number | null> {
    await this.run(kernel, count, 1);
    const error = await this.error(count);
    if (error > (isMatrixShape(shape) ? TOLERANCE.matrices : TOLERANCE.tiles)) {
      console.error(nameOf(shape), `relative error ${error}`);
      return null;
    }
    let ns = Infinity;
    for (let i = 0; i < 3; i++) ns = Math.min(ns, await this.run(kernel, count, repeats));
    return ns / 1000;
  }

  dispose(): void {
    const { x, y, step } = this.ends;
    for (const buffer of [x, y, step, this.expected]) buffer.destroy();
    this.readback.dispose();
  }

  /** Nanoseconds of a dispatch. */
  private run(kernel: Kernel, count: number, times: number): Promise<number> {
    const workgroups = kernel.workgroups({ count, end: count });
    return timeDispatch(this.device, { ...kernel, workgroups }, times);
  }

  /** Of the first tokens and of the last ones; the result is then forgotten. */
  private async error(count: number): Promise<number> {
    const { y, stride } = this.ends;
    const tokens = Math.min(COMPARED_TOKENS, count);
    const size = tokens * stride * 4;
    const offset = (count - tokens) * stride * 4;
    const encoder = this.device.createCommandEncoder();
    const bytes = await this.readback.submit(
      encoder,
      [y, this.expected].flatMap((buffer) => [
        { buffer, size },
        { buffer, offset, size },
      ]),
    );
    const floats = new Float32Array(bytes);
    const forget = this.device.createCommandEncoder();
    forget.clearBuffer(y);
    this.device.queue.submit([forget.finish()]);
    const error = relativeError(
      floats.subarray(0, floats.length / 2),
      floats.subarray(floats.length / 2),
    );
    return Number.isNaN(error) ? Infinity : error;
  }
}

/** The fastest shapes of a problem, and what the engine's choice is to them. */
function bestOf(rows: Row[], matrixRows: number, count: number): Row {
  const right = rows.filter(({ tokens, us }) => tokens === count && us !== null);
  right.sort((a, b) => Number(a.us) - Number(b.us));
  const isFor = ({ range: [least, most] }: Ranged<MatmulShape>) => least <= count && count <= most;
  const { shape } = matmulRanges(matrixRows).find(isFor)!;
  const chosen = right.find(({ tile }) => tile === tileName(shape));
  const [{ matrix, precision, cols }] = rows;
  const text = (row?: Row) => (row ? `${row.tile}: ${row.us} µs, ${row.tflops}` : null);
  return {
    ...{ matrix, precision, rows: matrixRows, cols, tokens: count, chosen: text(chosen) },
    ...Object.fromEntries(right.slice(0, BEST).map((row, i) => [`best ${i + 1}`, text(row)])),
  };
}
