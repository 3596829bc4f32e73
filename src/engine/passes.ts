/** How many passes a prompt takes, and when its keys and values count as settled. */
import type { ModelConfig } from '../model/config';
import type { ForwardOptions } from './forward';

/**
 * How a prompt is encoded. `exact`: iterate until the keys and values stop changing (at most one
 * pass per token). `trained`: iterate until they change little, at most a few passes more than the
 * model was trained with. `sequential`: token by token. A number: that many passes.
 */
export type Passes = 'exact' | 'trained' | 'sequential' | number;

export interface PrefillOptions {
  /** Default 'exact'. */
  passes?: Passes;
  /** Share of its length by which a row's keys and values may still change when iteration ends. */
  tolerance?: number;
  /** Every second pass leaves the mean of its keys and values and the earlier ones; default: `trained`, where the model says so. */
  averages?: boolean;
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
/** Passes beyond the trained number of forward and backward ones. */
const EXTRA_PASSES = 2;

export function forwardOptions(
  output: ForwardOptions['output'],
  { passes = 'exact', tolerance, averages, signal }: PrefillOptions,
  config: ModelConfig,
): ForwardOptions {
  if (typeof passes === 'number') {
    const plain = { averages: averages ?? false, isExactWelcome: false };
    return { output, passes, tolerance: tolerance ?? 0, ...plain, signal };
  }
  const isTrained = passes === 'trained';
  return {
    output,
    passes: isTrained ? config.trainedPasses + EXTRA_PASSES : Infinity,
    tolerance: tolerance ?? (isTrained ? SETTLED : CONVERGED),
    averages: averages ?? (isTrained && config.averagesPasses),
    isExactWelcome: true,
    signal,
  };
}
