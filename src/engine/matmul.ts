/**
 * Products of weight matrices with many rows of activations, in tiles (matmul_tile.wgsl): which
 * tiles, by how many rows the matrix and the pass have.
 */
import { read, uniformStep, write } from './kernel';
import type { Kernel, KernelCompiler } from './kernel';
import { weightBindings, weightSource } from './formats';
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

/** A shape, and how many workgroups of it a product must have for it to keep a GPU busy. */
interface Tile {
  shape: MatmulShape;
  busy: number;
}

/**
 * From the largest tile to the smallest. A large one loads less for each multiply-add; of a small one
 * there are more, for a problem that would leave processors idle. Chosen by `bench tiles` on an H100
 * (docs/LOG.md). All fit the 16 KiB that every device has.
 */
const TILES: readonly Tile[] = [
  { shape: tile(64, 64, 8, 8, 2, 1), busy: 500 },
  { shape: tile(32, 64, 4, 8, 4, 2), busy: 200 },
  { shape: tile(32, 32, 8, 4, 8, 8), busy: 200 },
  { shape: tile(32, 16, 4, 4, 8, 8), busy: 100 },
  { shape: tile(32, 8, 4, 4, 8, 8), busy: 1 },
];

/** The shapes that products take. */
export const MATMUL_SHAPES: readonly MatmulShape[] = TILES.map(({ shape }) => shape);

/** Numbers of rows of a pass that shapes are chosen for (rangesOf). */
const BUCKETS = [16, 64, 256, 512];

function tile(
  rows: number,
  tokens: number,
  ownRows: number,
  ownTokens: number,
  depth: number,
  parts: number,
): MatmulShape {
  return { rows, tokens, ownRows, ownTokens, depth, parts, prefetch: true };
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
export function fits(shape: MatmulShape, { limits }: GPUDevice): boolean {
  return (
    workgroupBytes(shape) <= limits.maxComputeWorkgroupStorageSize &&
    lanesOf(shape) <= limits.maxComputeInvocationsPerWorkgroup &&
    lanesOf(shape) <= limits.maxComputeWorkgroupSizeX
  );
}

/** The largest tiles that keep a GPU busy and are not mostly empty, or the smallest ones. */
export function matmulShape(rows: number, tokens: number): MatmulShape {
  const isBusy = ({ shape, busy }: Tile) =>
    Math.ceil(rows / shape.rows) * Math.ceil(tokens / shape.tokens) >= busy &&
    tokens > shape.tokens / 2;
  return TILES.find(isBusy)?.shape ?? MATMUL_SHAPES.at(-1)!;
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
  [least, most]: [number, number] = [1, Infinity],
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
    workgroups: ({ count }) =>
      count < least || count > most
        ? [0, 0, 0]
        : [Math.ceil(piece.rows / shape.rows), Math.ceil(count / shape.tokens), 1],
  });
}

/** A shape, and for how many rows of a pass: [least, most]. */
export interface Ranged<Shape> {
  shape: Shape;
  range: [number, number];
}
export type MatmulRange = Ranged<MatmulShape>;

/** Which shapes a matrix takes, by rows of the pass; `asked` for all of them where it is given. */
export function matmulRanges(rows: number, asked?: MatmulShape): MatmulRange[] {
  if (asked) return [{ shape: asked, range: [1, Infinity] }];
  return rangesOf(BUCKETS, (tokens) => matmulShape(rows, tokens));
}

/** A pass of at most so many rows as a bucket says takes what is chosen for so many; the last one's, all others. */
export function rangesOf<Shape>(
  buckets: readonly number[],
  choose: (tokens: number) => Shape,
): Ranged<Shape>[] {
  const ranges: Ranged<Shape>[] = [];
  for (const [i, most] of buckets.entries()) {
    const shape = choose(most);
    const last = ranges.at(-1);
    const end = i === buckets.length - 1 ? Infinity : most;
    if (last?.shape === shape) last.range[1] = end;
    else ranges.push({ shape, range: [last ? last.range[1] + 1 : 1, end] });
  }
  return ranges;
}
