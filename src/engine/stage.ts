/** Operations as dispatches, one list for each number of rows that they are written for. */
import type { Kernel } from './kernel';

/** Most rows that are a few. */
export const FEW_ROWS = 8;

/** What runs for a single new token, for a few branches, and for a chunk of new tokens. */
export interface Stage {
  one: Kernel[];
  /** For this many rows, compiled when first asked for. Does not tell how much the cache changed. */
  few: (rows: number) => Promise<Kernel[]>;
  many: Kernel[];
}

/** Stages one after the other as one. */
export function joined(stages: readonly Stage[]): Stage {
  return {
    one: stages.flatMap(({ one }) => one),
    few: async (rows) => (await Promise.all(stages.map(({ few }) => few(rows)))).flat(),
    many: stages.flatMap(({ many }) => many),
  };
}

/** The same kernels for any number of rows. */
export function same(kernels: Kernel[]): Stage {
  return { one: kernels, few: () => Promise.resolve(kernels), many: kernels };
}
