/** A product of a weight matrix with rows of activations, made by a kernel, against sums in double precision. */
import { dispatch, KernelCompiler, type Kernel } from '../../src/engine/kernel';
import type { Gpu } from '../../src/engine/gpu';
import type { MatmulEnds } from '../../src/engine/matmul';
import { pad8 } from '../../src/engine/precision';
import { Readback } from '../../src/engine/readback';
import { seededRandom } from '../../src/engine/sample';
import { WeightLoader, type Matrix, type Piece } from '../../src/engine/weights';
import type { Dtype } from '../../src/model/source';
import { relativeError } from '../compare';
import { normal, randomSource } from '../random-source';
import { INT8, TINY } from './tiny';

export interface Product {
  dtype: Dtype;
  tokens: number;
  /** Columns, and rows; of int8, multiples of 32. */
  cols: number;
  rows: number;
  /** Added to what is there. */
  add?: boolean;
  maxPieceBytes?: number;
}

export function titleOf({ tokens, dtype, rows, cols, add }: Product): string {
  return `${tokens} tokens by ${dtype} ${rows} × ${cols}${add ? ', added' : ''}`;
}

/** Compiles the kernel for a piece of the matrix. */
export type Compile = (
  compiler: KernelCompiler,
  matrix: Matrix,
  piece: Piece,
  ends: MatmulEnds,
) => Promise<Kernel>;

/** The relative error of a product, and in how many pieces its matrix was. */
export async function errorOf(
  gpu: Gpu,
  { dtype, tokens, cols, rows, add = false, maxPieceBytes = 1e9 }: Product,
  compile: Compile,
): Promise<{ error: number; pieces: number }> {
  const { device } = gpu;
  const fields = { num_hidden_layers: 2, layer_types: '0_0', hidden_size: cols, head_dim: 16 };
  const quantization = dtype === 'I8' ? INT8 : {};
  const source = randomSource(
    { ...TINY, ...fields, intermediate_size: rows, ...quantization },
    dtype,
    3,
  );
  const name = 'model.layers.0.mlp.up_proj.weight';
  const weights = new WeightLoader(device, source, {
    maxPieceBytes,
    precision: 'own',
    isWhole: true,
  });
  const matrix = await weights.matrix([name]);
  const random = seededRandom(11);
  const stride = pad8(rows);
  const x = new Float32Array(tokens * matrix.cols);
  const y = Float32Array.from({ length: tokens * stride }, () => normal(random));
  for (let t = 0; t < tokens; t++) {
    for (let c = 0; c < cols; c++) x[t * matrix.cols + c] = normal(random);
  }
  const expected = y.slice();
  const values = source.values(name);
  for (let t = 0; t < tokens; t++) {
    for (let r = 0; r < rows; r++) {
      let sum = add ? y[t * stride + r] : 0;
      for (let c = 0; c < cols; c++) sum += x[t * matrix.cols + c] * values[r * cols + c];
      expected[t * stride + r] = sum;
    }
  }
  const buffer = (data: Float32Array | Uint32Array, usage = GPUBufferUsage.STORAGE) => {
    const copies = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const made = device.createBuffer({ size: data.byteLength, usage: usage | copies });
    device.queue.writeBuffer(made, 0, data);
    return made;
  };
  const ends = {
    ...{ x: buffer(x), y: buffer(y), stride, add },
    step: buffer(new Uint32Array([0, tokens, 0, 0, 0]), GPUBufferUsage.UNIFORM),
  };
  const compiler = new KernelCompiler(device, gpu.matrixUnit);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const piece of matrix.pieces) {
    const kernel = await compile(compiler, matrix, piece, ends);
    dispatch(pass, kernel, { count: tokens, end: tokens });
  }
  pass.end();
  const readback = new Readback(device);
  const bytes = await readback.submit(encoder, [{ buffer: ends.y, size: y.byteLength }]);
  gpu.assertHealthy();
  readback.dispose();
  weights.dispose();
  for (const it of [ends.x, ends.y, ends.step]) it.destroy();
  const error = relativeError(new Float32Array(bytes), expected);
  return { error, pieces: matrix.pieces.length };
}
