/**
 * Products of weight matrices with many rows of activations on GPUs whose subgroups multiply small matrices
 * at once (tensor cores; matmul_matrix.wgsl): how they are shared out. Weights and activations become f16
 * for it, sums stay f32: products are within a thousandth of those in f32 (test/gpu/matrices.test.ts).
 */
import { productSpec, type Ends } from './fragments';
import type { MatrixUnit } from './gpu';
import type { Kernel, KernelCompiler } from './kernel';
import { fitsDevice, groupsWithin, rangesOf, type Ranged } from './tiles';
import { unrolled } from './unroll';
import type { Matrix, Piece } from './weights';
import matmulMatrixSource from '../../shaders/matmul_matrix.wgsl';

/** What its WGSL begins with; offsets of matrices are the same for a subgroup, which Dawn cannot tell. */
const DIRECTIVES = `enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
requires subgroup_id;
diagnostic(off, chromium.subgroup_matrix_uniformity);`;

/** How matmul_matrix.wgsl shares out a product; any numbers are right, they differ in speed. */
export interface MatrixShape {
  /** Subgroups side by side along the rows of the matrix, and along the tokens. */
  rowSubgroups: number;
  tokenSubgroups: number;
  /** Matrices of sums of a subgroup, along the rows and along the tokens. */
  ownRows: number;
  ownTokens: number;
  /** Subgroups that share the columns of the same sums. */
  parts: number;
  /** Blocks of 8 columns in workgroup memory at a time, of which each part takes a multiple of the unit's. */
  depth: number;
}

/** From the largest tile to the smallest, with how many of its workgroups keep a GPU busy (tiles.ts); by `bench tiles` on an H100 (docs/LOG.md). */
const TILES: readonly { shape: MatrixShape; busy: number }[] = [
  { shape: tile([2, 2], [4, 4], 1, 4), busy: 300 },
  { shape: tile([2, 2], [4, 2], 1, 4), busy: 400 },
  { shape: tile([2, 2], [2, 2], 2, 8), busy: 200 },
  { shape: tile([4, 1], [1, 2], 2, 8), busy: 120 },
  { shape: tile([2, 2], [1, 1], 4, 16), busy: 100 },
  { shape: tile([2, 1], [1, 1], 4, 16), busy: 300 },
  { shape: tile([1, 1], [2, 1], 8, 32), busy: 100 },
  { shape: tile([1, 1], [1, 1], 16, 32), busy: 1 },
];

/** The shapes that products take. */
export const MATRIX_SHAPES: readonly MatrixShape[] = TILES.map(({ shape }) => shape);

/** Numbers of rows of a pass that shapes are chosen for. */
const BUCKETS = [16, 32, 64, 256, 512];

/** Subgroups and the matrices of each along rows and tokens. */
function tile(
  [rowSubgroups, tokenSubgroups]: [number, number],
  [ownRows, ownTokens]: [number, number],
  parts: number,
  depth: number,
): MatrixShape {
  return { rowSubgroups, tokenSubgroups, ownRows, ownTokens, parts, depth };
}

/** Tokens and rows of the matrix of a workgroup, and its invocations. */
export function extentOf(shape: MatrixShape, unit: MatrixUnit) {
  const { rowSubgroups, tokenSubgroups, ownRows, ownTokens, parts } = shape;
  return {
    rows: rowSubgroups * ownRows * unit.rows,
    tokens: tokenSubgroups * ownTokens * unit.tokens,
    lanes: rowSubgroups * tokenSubgroups * parts * unit.lanes,
  };
}

/** Bytes of workgroup memory: a slab or the sums at the end, and what a norm needs. */
function matrixBytes(shape: MatrixShape, unit: MatrixUnit): number {
  const { rows, tokens, lanes } = extentOf(shape, unit);
  const slab = 16 * (shape.depth + 1) * (rows + tokens);
  const sums = 4 * (lanes / unit.lanes) * unit.tokens * unit.rows;
  return Math.max(slab, sums) + 4 * tokens * (shape.depth + 1);
}

/** Whether a device can run a shape. */
export function canRun(shape: MatrixShape, unit: MatrixUnit, device: GPUDevice): boolean {
  const isWhole = (shape.depth * 8) % (unit.columns * shape.parts) === 0;
  return isWhole && fitsDevice(extentOf(shape, unit).lanes, matrixBytes(shape, unit), device);
}

/** Which shapes a matrix takes, by rows of the pass; `asked` for all of them where it is given. */
export function matrixRanges(
  rows: number,
  unit: MatrixUnit,
  device: GPUDevice,
  asked?: MatrixShape,
): Ranged<MatrixShape>[] {
  if (asked) return [{ shape: asked, range: [1, Infinity] }];
  const possible = TILES.filter(({ shape }) => canRun(shape, unit, device));
  const tiles = possible.map((one) => ({ ...one, extent: extentOf(one.shape, unit) }));
  return rangesOf(tiles, BUCKETS, rows);
}

/** output(W input(x)) for one piece of W; for passes of [least, most] rows. */
export function matrixProduct(
  compiler: KernelCompiler,
  label: string,
  matrix: Matrix,
  piece: Piece,
  ends: Ends,
  shape: MatrixShape,
  unit: MatrixUnit,
  range: [number, number] = [1, Infinity],
): Promise<Kernel> {
  return compiler.compile({
    ...productSpec(label, matrix, piece, ends, {
      directives: DIRECTIVES,
      source: unrolled(matmulMatrixSource, {
        EACH_ROW: shape.ownRows,
        EACH_TOKEN: shape.ownTokens,
      }),
      constants: {
        ROW_SUBGROUPS: shape.rowSubgroups,
        TOKEN_SUBGROUPS: shape.tokenSubgroups,
        OWN_ROWS: shape.ownRows,
        OWN_TOKENS: shape.ownTokens,
        PARTS: shape.parts,
        DEPTH: shape.depth,
        MATRIX_M: unit.tokens,
        MATRIX_N: unit.rows,
        MATRIX_K: unit.columns,
        SUBGROUP_LANES: unit.lanes,
      },
    }),
    workgroups: groupsWithin(extentOf(shape, unit), piece.rows, range),
  });
}
