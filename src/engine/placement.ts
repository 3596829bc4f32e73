/**
 * Which weights lie in one buffer: embedding and lm_head in one, and consecutive layers in as few as
 * the device can bind, so that one kernel can read many of them (resident.ts).
 */
import type { TensorInfo } from '../model/source';
import { isTable } from './precision';

/** Tensors for one buffer, and the bytes that they take. */
export interface Placement {
  tensors: TensorInfo[];
  bytes: number;
}

const layerOf = ({ name }: TensorInfo) => Number(/\.layers\.(\d+)\./.exec(name)?.[1] ?? -1);

/** A layer stays whole, whatever it takes; what belongs to no layer is with the last one. */
export function placements(
  all: readonly TensorInfo[],
  bytesOf: (info: TensorInfo) => number,
  mostBytes: number,
): Placement[] {
  const empty = (): Placement => ({ tensors: [], bytes: 0 });
  const tables = empty();
  const last = Math.max(...all.map(layerOf));
  const layers = Array.from({ length: last + 1 }, empty);
  for (const info of all) {
    const layer = layerOf(info);
    const place = isTable(info.name) ? tables : layers[layer < 0 ? last : layer];
    place.tensors.push(info);
    place.bytes += bytesOf(info);
  }
  const found: Placement[] = [];
  for (const { tensors, bytes } of layers.filter(({ tensors: some }) => some.length > 0)) {
    const before = found.at(-1);
    if (!before || before.bytes + bytes > mostBytes) found.push({ tensors, bytes });
    else {
      before.tensors.push(...tensors);
      before.bytes += bytes;
    }
  }
  return [tables, ...found];
}
