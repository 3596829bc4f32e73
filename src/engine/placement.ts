/**
 * Which weights lie in one buffer: embedding and lm_head in one, and consecutive layers in as few as
 * the device can bind, so that one kernel can read many of them (resident.ts).
 */
import type { TensorInfo } from '../model/source';
import { isTable } from './precision';

/** Tensors for one buffer, and the bytes that they take. */
export interface Together {
  tensors: TensorInfo[];
  bytes: number;
}

/** A layer stays whole, whatever it takes; what belongs to no layer is with the last one. */
export function together(
  all: readonly TensorInfo[],
  bytesOf: (info: TensorInfo) => number,
  mostBytes: number,
): Together[] {
  const layers = new Map<number, Together>();
  const tables: Together = { tensors: [], bytes: 0 };
  for (const info of all) {
    const layer = Number(/\.layers\.(\d+)\./.exec(info.name)?.[1] ?? Infinity);
    const place = isTable(info.name) ? tables : (layers.get(layer) ?? { tensors: [], bytes: 0 });
    if (place !== tables) layers.set(layer, place);
    place.tensors.push(info);
    place.bytes += bytesOf(info);
  }
  const found: Together[] = [tables];
  for (const [, layer] of [...layers].sort(([a], [b]) => a - b)) {
    const last = found.at(-1)!;
    if (last === tables || last.bytes + layer.bytes > mostBytes) found.push(layer);
    else {
      last.tensors.push(...layer.tensors);
      last.bytes += layer.bytes;
    }
  }
  return found;
}
