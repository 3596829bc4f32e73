/** Products of many rows in tiles, one for each workgroup: which of some shapes, and how many workgroups. */
import type { Rows } from './kernel';

/** What a workgroup makes of a product: so many rows of the matrix for so many tokens. */
export interface Extent {
  rows: number;
  tokens: number;
}

/** A shape, what a workgroup of it makes, and how many of them a product must have to keep a GPU busy. */
export interface Tile<Shape> {
  shape: Shape;
  extent: Extent;
  busy: number;
}

/** A shape, and for how many rows of a pass: [least, most]. */
export interface Ranged<Shape> {
  shape: Shape;
  range: [number, number];
}

export function groupsOf({ rows, tokens }: Extent, matrixRows: number, count: number) {
  return [Math.ceil(matrixRows / rows), Math.ceil(count / tokens)] as const;
}

/** Workgroups for passes of [least, most] rows; none for others. */
export function groupsWithin(extent: Extent, matrixRows: number, [least, most]: [number, number]) {
  return ({ count }: Rows): [number, number, number] =>
    count < least || count > most ? [0, 0, 0] : [...groupsOf(extent, matrixRows, count), 1];
}

/**
 * Which shapes a matrix takes, by rows of the pass: of tiles from the largest to the smallest, the first that keeps
 * a GPU busy and is not mostly empty, or the last. A pass of at most so many rows as a bucket says takes
 * what is chosen for so many; the last one's, all others.
 */
export function rangesOf<Shape>(
  tiles: readonly Tile<Shape>[],
  buckets: readonly number[],
  matrixRows: number,
): Ranged<Shape>[] {
  const ranges: Ranged<Shape>[] = [];
  for (const [i, most] of buckets.entries()) {
    const isBusy = ({ extent, busy }: Tile<Shape>) => {
      const [x, y] = groupsOf(extent, matrixRows, most);
      return x * y >= busy && most > extent.tokens / 2;
    };
    const { shape } = tiles.find(isBusy) ?? tiles.at(-1)!;
    const last = ranges.at(-1);
    const end = i === buckets.length - 1 ? Infinity : most;
    if (last?.shape === shape) last.range[1] = end;
    else ranges.push({ shape, range: [last ? last.range[1] + 1 : 1, end] });
  }
  return ranges;
}

/** Whether a device can run workgroups of so many invocations with so many bytes of memory. */
export function fitsDevice(lanes: number, bytes: number, { limits }: GPUDevice): boolean {
  return (
    bytes <= limits.maxComputeWorkgroupStorageSize &&
    lanes <= limits.maxComputeInvocationsPerWorkgroup &&
    lanes <= limits.maxComputeWorkgroupSizeX
  );
}
