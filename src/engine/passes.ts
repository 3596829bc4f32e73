/** How many passes a prompt takes, and when its keys and values count as settled. */
import type { ModelConfig } from '../model/config';
import type { ForwardOptions } from './forward';

/**
 * How a prompt is encoded. `exact`: iterate until the keys and values stop changing (at most one
 * pass per token). `trained`: iterate until they change little, at most as often as the model's
 * `trainedPasses`. `sequential`: token by token. A number: that many passes.
 */
export type Passes = 'exact' | 'trained' | 'sequential' | number;

export interface PrefillOptions {
  /** Default 'exact'. */
  passes?: Passes;
  /** Share of its length by which a row's keys and values may still change when iteration ends. */
  tolerance?: number;
  signal?: AbortSignal;
}

/**
 * A pass that changes every row of keys and values by less than this share of its length ends an
 * exact prefill. The next pass could only repeat it: f32 rounding moves rows by about 1e-6.
 */
const CONVERGED = 1e-5;
/**
 * The same for `trained`. On trained models of two layouts, rows that were this near gave the same
 * likeliest token in 99 % of cases, and the loss had stopped falling two passes earlier.
 */
const SETTLED = 1e-2;

export function forwardOptions(
  output: ForwardOptions['output'],
  { passes = 'exact', tolerance, signal }: PrefillOptions,
  { trainedPasses }: ModelConfig,
): ForwardOptions {
  const isExactWelcome = typeof passes !== 'number';
  if (typeof passes === 'number')
    return { output, passes, tolerance: tolerance ?? 0, isExactWelcome, signal };
  if (passes === 'trained') {
    const most = trainedPasses;
    return { output, passes: most, tolerance: tolerance ?? SETTLED, isExactWelcome, signal };
  }
  return { output, passes: Infinity, tolerance: tolerance ?? CONVERGED, isExactWelcome, signal };
}
