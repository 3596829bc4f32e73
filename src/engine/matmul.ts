/**
 * Products of weight matrices with many rows of activations, in tiles (matmul_tile.wgsl): which
 * tiles, by how many rows the matrix and the pass have.
 */
import { read, uniformStep, write } from './kernel';
import type { Kernel, KernelCompiler } from './kernel';
import { weightBindings, weightSource } from './formats';
import { fitsDevice, groupsWithin, rangesOf, type Ranged, type Tile } from './tiles';
import type { Matrix, Piece } from './weights';
import matmulTileSource from '../../shaders/matmul_tile.wgsl';
import stepSource from '../../shaders/step.wgsl';

/** How matmul_tile.wgsl shares out a product; any numbers are right, they differ in speed. */
export interface MatmulShape {
  /** Rows of the matrix of a workgroup, a multiple of ownRows. */
  rows: number;
  /** Tokens of a workgroup, a multiple of ownTokens. */
  tokens: number;
  /** Rows of an invocation: 4, 8 ... */
  ownRows: number;
  /** Tokens of an invocation: 4, 8 ... */
  ownTokens: number;
  /** Blocks of 8 columns in workgroup memory at a time, a multiple of `parts`. */
  depth: number;
  /** Invocations that share the columns of the same sums. */
  parts: number;
  /** The next columns are loaded while these are multiplied: costs registers. */
  prefetch: boolean;
}

/**
 * From the largest tile to the smallest. A large one loads less for each multiply-add; of a small one
 * there are more, for a problem that would leave processors idle. Chosen by `bench tiles` on an H100
 * (docs/LOG.md). All fit the 16 KiB that every device has.
 */
const TILES: readonly Tile<MatmulShape>[] = [
  tile([64, 64, 8, 8, 2, 1], 500),
  tile([32, 64, 4, 8, 4, 2], 200),
  tile([32, 32, 8, 4, 8, 8], 200),
  tile([32, 16, 4, 4, 8, 8], 100),
  tile([32, 8, 4, 4, 8, 8], 1),
];

/** The shapes that products take. */
export const MATMUL_SHAPES: readonly MatmulShape[] = TILES.map(({ shape }) => shape);

/** Numbers of rows of a pass that shapes are chosen for (rangesOf). */
const BUCKETS = [16, 64, 256, 512];

function tile(
  [rows, tokens, ownRows, ownTokens, depth, parts]: [
    number,
    number,
    number,
    number,
    number,
    number,
  ],
  busy: number,
): Tile<MatmulShape> {
  const shape = { rows, tokens, ownRows, ownTokens, depth, parts, prefetch: true };
  return { shape, extent: shape, busy };
}

/** Invocations of a workgroup. */
export function lanesOf({ rows, tokens, ownRows, ownTokens, parts }: MatmulShape): number {
  return (rows / ownRows) * (tokens / ownTokens) * parts;
}

/** Bytes of workgroup memory: the columns of both sides, or the sums that parts add up. */
export function workgroupBytes(shape: MatmulShape): number {
  const { rows, tokens, depth, parts } = shape;
  const slab = 8 * depth * (rows + tokens) * 4;
  const meeting = (lanesOf(shape) / parts) * (parts - 1) * 64;
  return Math.max(slab, meeting);
}

/** Whether a device can run a shape. */
export function fits(shape: MatmulShape, device: GPUDevice): boolean {
  return fitsDevice(lanesOf(shape), workgroupBytes(shape), device);
}

/** What a product reads and makes. */
export interface MatmulEnds {
  /** f32 [T][matrix.cols]. */
  x: GPUBuffer;
  /** f32 [T][stride]. */
  y: GPUBuffer;
  stride: number;
  /** y += product. */
  add: boolean;
  step: GPUBuffer;
}

/** y = W x, or y += W x, for one piece of W in tiles of a shape; for passes of [least, most] rows. */
export function matmul(
  compiler: KernelCompiler,
  matrix: Matrix,
  piece: Piece,
  { x, y, stride, add, step }: MatmulEnds,
  shape: MatmulShape,
  range: [number, number] = [1, Infinity],
): Promise<Kernel> {
  return compiler.compile({
    label: 'matmul',
    source: [weightSource(matrix.dtype), stepSource, matmulTileSource],
    constants: {
      BLOCKS: matrix.cols / 8,
      ROWS: piece.rows,
      ROW_OFFSET: piece.rowOffset,
      Y_STRIDE: stride,
      ADD: add,
      TILE_ROWS: shape.rows,
      TILE_TOKENS: shape.tokens,
      OWN_ROWS: shape.ownRows,
      OWN_TOKENS: shape.ownTokens,
      DEPTH: shape.depth,
      PARTS: shape.parts,
      PREFETCH: shape.prefetch,
    },
    bindings: [...weightBindings(piece), read(2, x), write(3, y), uniformStep(4, step)],
    workgroups: groupsWithin(shape, piece.rows, range),
  });
}

/** Which shapes a matrix takes, by rows of the pass; `asked` for all of them where it is given. */
export function matmulRanges(rows: number, asked?: MatmulShape): Ranged<MatmulShape>[] {
  return asked ? [{ shape: asked, range: [1, Infinity] }] : rangesOf(TILES, BUCKETS, rows);
}
