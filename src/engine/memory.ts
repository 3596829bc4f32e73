/**
 * What a model takes of the device's memory, reckoned before anything is allocated; which precision
 * that leaves; and what to say when it is too much.
 */
import type { ModelConfig } from '../model/config';
import type { TensorSource } from '../model/source';
import type { PrecisionChoice } from '../protocol';
import { KV_NUMBER_BYTES } from './cache';
import { weightBytes, type Precision } from './precision';

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

/**
 * The precision to load with: as asked for, or for `auto` the first that fits of the checkpoint's
 * own, 16-bit and int8. Throws a sentence with a remedy when it does not fit.
 */
export function choosePrecision(
  source: TensorSource,
  choice: PrecisionChoice,
  contextTokens: number,
  chunkTokens: number,
  limits: MemoryLimits,
): Precision {
  const { config } = source;
  const rowsBytes = contextTokens * config.kvHeads * config.headDim * KV_NUMBER_BYTES;
  if (rowsBytes > limits.maxBindingBytes) {
    throw new Error(
      `${source.name}: the keys of one layer take ${megabytes(rowsBytes)} for ${contextTokens} ` +
        `tokens, but the GPU can use ${megabytes(limits.maxBindingBytes)} at a time. ` +
        'Lower lckv.contextTokens.',
    );
  }
  const need = (precision: Precision): MemoryNeed => ({
    weights: weightBytes(source, precision),
    cache: cacheBytes(config, contextTokens),
    work: workBytes(config, contextTokens, chunkTokens),
  });
  const fits = (precision: Precision) =>
    total(need(precision)) <= (limits.availableBytes ?? Infinity);
  const wanted: Precision[] = choice === 'auto' ? ['own', 'f16', 'int8'] : [choice];
  const found = wanted.find(fits);
  if (found) return found;
  const tried = wanted.at(-1)!;
  const rest = (['int8', 'int4'] as const).find(fits);
  throw new Error(shortage(source.name, tried, need(tried), contextTokens, limits, rest));
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
  return 4 * (chunkTokens * columns + vocabSize + contextTokens * headDim);
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
): string {
  const advice = smaller
    ? `Set lckv.precision to ${smaller}.`
    : 'Choose a smaller model, lower lckv.contextTokens, or close other programs.';
  return (
    `${name} needs ${megabytes(total(need))} of memory (weights as ${precision} ` +
    `${megabytes(need.weights)}, keys and values of ${contextTokens} tokens ` +
    `${megabytes(need.cache)}, work ${megabytes(need.work)}), but ` +
    `${megabytes(Math.max(0, availableBytes!))} are free. ${advice}`
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
