/**
 * Whose keys and values each layer reads: the `layer_types` formats of the LCKV family and the
 * order in which layers have to be run (lckv.md sections 1.2, 1.4 and 3.1). Pure.
 */
import { Fault, say } from '../sentence';

/** One entry of `layer_types`. */
export interface LayerReads {
  /** The layer whose keys and values are read. */
  reads: number;
  /** Only the last `sliding_window` positions are seen. */
  windowed: boolean;
}

/** Layers [first, end). Cyclic groups contain a layer that reads from above and are iterated. */
export interface LayerGroup {
  first: number;
  end: number;
  cyclic: boolean;
  /** Its layers that a layer below them reads. */
  targets: number[];
}

/** Parses `0_6s_6_...`: per layer the number of the layer it reads, with `s` for a window. */
export function parseLayerTypes(text: string, layerCount: number): LayerReads[] {
  return entries(text, layerCount).map((part, layer) => {
    const match = /^(\d{1,6})(s?)$/.exec(part);
    if (!match) {
      throw new Fault(
        say`entry ${layer} is '${part}', expected a layer number, optionally followed by 's'`,
      );
    }
    const reads = Number(match[1]);
    if (reads >= layerCount) {
      throw new Fault(
        say`entry ${layer} is '${part}', expected a layer number from 0 to ${layerCount - 1}`,
      );
    }
    return { reads, windowed: match[2] === 's' };
  });
}

/** First paper, LCKV: 0 reads itself, 1 reads the target layer, 2 is the target layer. */
export function parseOptLayerTypes(text: string, layerCount: number, target: number): LayerReads[] {
  return roles(text, layerCount).map((role, layer) => {
    if (role === 2 && layer !== target) {
      throw new Fault(
        say`entry ${layer} is 2 (the target layer), but target_layer names layer ${target}`,
      );
    }
    return { reads: role === 1 ? target : layer, windowed: false };
  });
}

/** First paper, CLA: 0 and 2 read themselves, 1 reads the nearest such layer below. */
export function parseClaLayerTypes(text: string, layerCount: number): LayerReads[] {
  let below = -1;
  return roles(text, layerCount).map((role, layer) => {
    if (role !== 1) below = layer;
    if (below < 0) throw new Fault(say`entry 0 is 1, but no layer below it has keys and values`);
    return { reads: below, windowed: false };
  });
}

/** Splits the stack into runs of ordinary layers and groups that must be iterated. */
export function layerGroups(reads: readonly number[]): LayerGroup[] {
  const groups: LayerGroup[] = [];
  for (let first = 0; first < reads.length; first = groups.at(-1)!.end) {
    const cyclic = reads[first] > first;
    let end = first + 1;
    if (cyclic) {
      // Up to the highest layer that any layer of the group reads.
      for (let layer = first; layer < end; layer++) end = Math.max(end, reads[layer] + 1);
    } else {
      while (end < reads.length && reads[end] <= end) end++;
    }
    const upward = reads.slice(first, end).filter((read, i) => read > first + i);
    groups.push({ first, end, cyclic, targets: [...new Set(upward)] });
  }
  return groups;
}

function entries(text: string, layerCount: number): string[] {
  const parts = text.split('_');
  if (parts.length !== layerCount) {
    throw new Fault(say`${parts.length} entries, expected ${layerCount} (num_hidden_layers)`);
  }
  return parts;
}

function roles(text: string, layerCount: number): number[] {
  return entries(text, layerCount).map((part, layer) => {
    if (!/^[012]$/.test(part))
      throw new Fault(say`entry ${layer} is '${part}', expected 0, 1 or 2`);
    return Number(part);
  });
}
