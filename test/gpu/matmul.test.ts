/**
 * Products in tiles against sums in double precision: numbers of rows, columns and tokens that are no
 * multiple of a tile, matrices in several pieces, products added to what is there.
 */
import assert from 'node:assert/strict';
import { Gpu } from '../../src/engine/gpu';
import { dispatch, KernelCompiler } from '../../src/engine/kernel';
import {
  matmul,
  MATMUL_SHAPES,
  matmulRanges,
  workgroupBytes,
  type MatmulShape,
} from '../../src/engine/matmul';
import { pad8 } from '../../src/engine/precision';
import { Readback } from '../../src/engine/readback';
import { seededRandom } from '../../src/engine/sample';
import { WeightLoader } from '../../src/engine/weights';
import type { Dtype } from '../../src/model/source';
import { relativeError } from '../compare';
import { normal, randomSource } from '../random-source';
import { INT8, TINY } from './tiny';

interface Case {
  shape: MatmulShape;
  dtype: Dtype;
  tokens: number;
  /** Columns, and rows; of int8, multiples of 32. */
  cols: number;
  rows: number;
  add?: boolean;
  maxPieceBytes?: number;
}

const shape = (
  [rows, tokens, ownRows, ownTokens]: [number, number, number, number],
  depth: number,
  parts = 1,
  prefetch = true,
): MatmulShape => ({ rows, tokens, ownRows, ownTokens, depth, parts, prefetch });

const CASES: Case[] = [
  { shape: shape([64, 32, 8, 8], 2), dtype: 'I8', tokens: 37, cols: 96, rows: 160 },
  { shape: shape([16, 24, 4, 4], 6, 3, false), dtype: 'F32', tokens: 25, cols: 56, rows: 37 },
  { shape: shape([32, 16, 8, 4], 8, 4), dtype: 'BF16', tokens: 17, cols: 91, rows: 53, add: true },
  { shape: shape([24, 8, 4, 8], 3), dtype: 'F16', tokens: 1, cols: 40, rows: 61 },
  {
    ...{ shape: shape([16, 16, 4, 4], 4, 2), dtype: 'F32', tokens: 16, cols: 24, rows: 60 },
    ...{ add: true, maxPieceBytes: 23 * 24 * 4 },
  },
  // What the engine takes by itself, smallest first, as the largest take long to compile on a CPU.
  ...[...MATMUL_SHAPES].reverse().map((shape, i) => ({
    ...{ shape, dtype: i % 2 ? ('I8' as const) : ('BF16' as const), cols: 96, rows: 160 },
    ...{ tokens: shape.tokens + 3, add: i === 0 },
  })),
];

describe('matmul', function () {
  this.timeout(240_000);
  let gpu: Gpu;
  before(async () => {
    gpu = await Gpu.open();
  });
  after(() => gpu.dispose());

  for (const { shape, dtype, tokens, cols, rows, add = false, maxPieceBytes = 1e9 } of CASES) {
    const numbers = `${tokens} tokens by ${dtype} ${rows} × ${cols}${add ? ', added' : ''}`;
    it(`${numbers} in ${JSON.stringify(shape)}`, async () => {
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
      const compiler = new KernelCompiler(device);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const piece of matrix.pieces) {
        const kernel = await matmul(compiler, matrix, piece, ends, shape);
        dispatch(pass, kernel, { count: tokens, end: tokens });
      }
      pass.end();
      const readback = new Readback(device);
      const bytes = await readback.submit(encoder, [{ buffer: ends.y, size: y.byteLength }]);
      gpu.assertHealthy();
      const error = relativeError(new Float32Array(bytes), expected);
      assert.ok(error < 1e-5, `relative error ${error}`);
      if (maxPieceBytes < 1e9) assert.ok(matrix.pieces.length > 1);
      readback.dispose();
      weights.dispose();
      for (const it of [ends.x, ends.y, ends.step]) it.destroy();
    });
  }

  it('has one shape for every number of tokens, of those that any device can run', () => {
    for (const rows of [1, 61, 512, 1024, 2048, 11264, 32000]) {
      const ranges = matmulRanges(rows);
      for (let tokens = 1; tokens <= 3000; tokens++) {
        const those = ranges.filter(
          ({ range: [least, most] }) => least <= tokens && tokens <= most,
        );
        assert.equal(those.length, 1, `${rows} rows, ${tokens} tokens`);
      }
    }
    for (const shape of MATMUL_SHAPES) assert.ok(workgroupBytes(shape) <= 16384);
  });
});
