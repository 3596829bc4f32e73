/**
 * What a model takes of the device's memory, reckoned before anything is allocated; what
 * precision and context that leaves; and what to say when it is too much.
 */
import type { ModelConfig } from '../model/config';
import type { TensorSource } from '../model/source';
import type { PrecisionChoice } from '../protocol';
import { Fault, join, say, type Sentence } from '../sentence';
import { KV_NUMBER_BYTES } from './cache';
import { pad8, weightBytes, type Precision } from './precision';
import { MOST_ROWS } from './stage';

/** What a load must fit into. */
export interface MemoryLimits {
  /** Bytes that are free, or null where nobody knows. */
  availableBytes: number | null;
  /** Largest buffer that a kernel can use, in bytes. */
  maxBindingBytes: number;
}

/** Bytes of the parts of a loaded model. */
export interface MemoryNeed {
  weights: number;
  cache: number;
  work: number;
}

/** What keys and values of earlier prompts may take by default, at least and at most. */
const SNAPSHOT_BYTES = { least: 64 << 20, most: 512 << 20 };

/** How a model may be loaded. */
export interface LoadPlan {
  precision: Precision;
  contextTokens: number;
  /** What is smaller than it was meant to be, in a sentence; null where nothing is. */
  reduced: Sentence | null;
}

/** A context is not made shorter than this for want of memory, in tokens. */
const LEAST_CONTEXT_TOKENS = 256;

/**
 * The ways to load a model, the best first, as far as they are known to fit: half of the context is
 * given up before precision is. Precision is as asked for, or for `auto` the checkpoint's own,
 * 16-bit or int8. Throws a sentence with a remedy when none fits.
 */
export function loadPlans(
  source: TensorSource,
  choice: PrecisionChoice,
  contextTokens: number,
  chunkTokens: number,
  limits: MemoryLimits,
): LoadPlan[] {
  const { config } = source;
  const rowsBytes = contextTokens * config.kvHeads * config.headDim * KV_NUMBER_BYTES;
  if (rowsBytes > limits.maxBindingBytes) {
    const [needed, usable] = [rowsBytes, limits.maxBindingBytes].map(megabytes);
    throw new Fault(
      say`${source.name}: the keys of one layer take ${needed} for ${contextTokens} tokens, but the GPU can use ${usable} at a time. Lower lckv.contextTokens.`,
    );
  }
  const need = (precision: Precision, tokens = contextTokens): MemoryNeed => ({
    weights: weightBytes(source, precision),
    cache: cacheBytes(config, tokens),
    work: workBytes(config, tokens, chunkTokens),
  });
  const fits = (precision: Precision, tokens = contextTokens) =>
    total(need(precision, tokens)) <= (limits.availableBytes ?? Infinity);
  const precisions: Precision[] = choice === 'auto' ? smaller(source) : [choice];
  const shorter = Math.max(LEAST_CONTEXT_TOKENS, contextTokens >> 1);
  const contexts = shorter < contextTokens ? [contextTokens, shorter] : [contextTokens];
  const found = precisions
    .flatMap((precision) => contexts.map((tokens) => ({ precision, contextTokens: tokens })))
    .filter((plan) => fits(plan.precision, plan.contextTokens));
  if (found.length > 0) {
    const wanted = { precision: precisions[0], contextTokens };
    return found.map((plan) => ({ ...plan, reduced: reduction(plan, wanted) }));
  }
  const tried = precisions.at(-1)!;
  const rest = (['int8', 'int4'] as const).find((precision) => fits(precision));
  throw new Fault(shortage(source.name, tried, need(tried), contextTokens, limits, rest));
}

/** The checkpoint's own format, and those of f16 and int8 that take less. */
function smaller(source: TensorSource): Precision[] {
  const all: Precision[] = ['own', 'f16', 'int8'];
  return all.filter((precision, i) =>
    all.slice(0, i).every((other) => weightBytes(source, precision) < weightBytes(source, other)),
  );
}

function reduction(
  { precision, contextTokens }: Omit<LoadPlan, 'reduced'>,
  wanted: Omit<LoadPlan, 'reduced'>,
): Sentence | null {
  const parts = [
    ...(precision === wanted.precision ? [] : [say`its weights are kept as ${precision}`]),
    ...(contextTokens === wanted.contextTokens
      ? []
      : [say`it sees ${contextTokens} tokens instead of ${wanted.contextTokens}`]),
  ];
  if (parts.length === 0) return null;
  const effect = parts.reduce((first, second) => say`${first} and ${second}`);
  return say`Memory is short for this model, so ${effect}.`;
}

/** Memory for the keys and values of earlier prompts: as asked for, within what is left. */
export function snapshotBudget(
  asked: number | undefined,
  maxBufferBytes: number,
  leftBytes: number | null,
): number {
  const { least, most } = SNAPSHOT_BYTES;
  const usual = Math.max(least, Math.min(most, maxBufferBytes / 16));
  return Math.max(0, Math.min(asked ?? usual, leftBytes ?? Infinity));
}

/** Keys and values of a whole context. */
export function cacheBytes(config: ModelConfig, contextTokens: number): number {
  const kvLayers = config.layers.filter(({ computesKv }) => computesKv).length;
  return 2 * kvLayers * contextTokens * config.kvHeads * config.headDim * KV_NUMBER_BYTES;
}

/** Activations of a chunk, logits and the rotation table, about (engine/model.ts). */
function workBytes(config: ModelConfig, contextTokens: number, chunkTokens: number): number {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize } = config;
  const columns = 4 * hiddenSize + 2 * (heads + kvHeads) * headDim + 3 * intermediateSize;
  const logits = Math.min(MOST_ROWS, pad8(chunkTokens)) * vocabSize;
  return 4 * (chunkTokens * columns + logits + contextTokens * headDim);
}

function total({ weights, cache, work }: MemoryNeed): number {
  return weights + cache + work;
}

function shortage(
  name: string,
  precision: Precision,
  need: MemoryNeed,
  contextTokens: number,
  { availableBytes }: MemoryLimits,
  smaller: Precision | undefined,
): Sentence {
  const advice = smaller
    ? say`Set lckv.precision to ${smaller}.`
    : say`Choose a smaller model, lower lckv.contextTokens, or close other programs.`;
  const [weights, cache, work] = [need.weights, need.cache, need.work].map(megabytes);
  const [needed, free] = [total(need), Math.max(0, availableBytes!)].map(megabytes);
  const problem = say`${name} needs ${needed} of memory (weights as ${precision} ${weights}, keys and values of ${contextTokens} tokens ${cache}, work ${work}), but ${free} are free.`;
  return join(problem, advice);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
