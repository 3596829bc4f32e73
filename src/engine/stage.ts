/** Operations as dispatches, one list for each number of rows that they are written for. */
import type { Kernel } from './kernel';

/** Most rows that share one load of the weights where one kernel does all of a product's work. */
export const FEW_ROWS = 8;
/** Most branches or sequences that decode together; more than FEW_ROWS take their products in tiles. */
export const MOST_ROWS = 64;
/** How `few` is asked for more rows than FEW_ROWS, any number of them. */
export const BATCH_ROWS = FEW_ROWS + 1;

/** What runs for a single new token, for branches or sequences, and for a chunk of new tokens. */
export interface Stage {
  one: Kernel[];
  /**
   * For any number of rows of branches, this many of them together: at most FEW_ROWS, or BATCH_ROWS
   * for all. Compiled when first asked for. Does not tell how much the cache changed.
   */
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
