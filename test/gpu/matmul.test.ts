/**
 * Products in tiles against sums in double precision: numbers of rows, columns and tokens that are no
 * multiple of a tile, matrices in several pieces, products added to what is there.
 */
import assert from 'node:assert/strict';
import { Gpu } from '../../src/engine/gpu';
import {
  matmul,
  MATMUL_SHAPES,
  matmulRanges,
  workgroupBytes,
  type MatmulShape,
} from '../../src/engine/matmul';
import { errorOf, titleOf, type Product } from './product';

interface Case extends Product {
  shape: MatmulShape;
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

  for (const { shape, ...product } of CASES) {
    it(`${titleOf(product)} in ${JSON.stringify(shape)}`, async () => {
      const { error, pieces } = await errorOf(gpu, product, (...parts) => matmul(...parts, shape));
      assert.ok(error < 1e-5, `relative error ${error}`);
      if (product.maxPieceBytes) assert.ok(pieces > 1);
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
