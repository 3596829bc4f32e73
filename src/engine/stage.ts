/** Operations as dispatches, one list for each number of rows that they are written for. */
import type { Kernel } from './kernel';

/** Most rows of a `few` pass. */
export const FEW_ROWS = 8;

/**
 * What runs for a single new token; for up to FEW_ROWS rows, without telling how keys and values
 * changed; for a chunk of new tokens.
 */
export interface Stage {
  one: Kernel[];
  few: Kernel[];
  many: Kernel[];
}

/** Stages one after the other as one. */
export function joined(stages: readonly Stage[]): Stage {
  return {
    one: stages.flatMap(({ one }) => one),
    few: stages.flatMap(({ few }) => few),
    many: stages.flatMap(({ many }) => many),
  };
}

/** The same kernels for any number of rows. */
export function same(kernels: Kernel[]): Stage {
  return { one: kernels, few: kernels, many: kernels };
}
