/**
 * One model on one device: tokens in, tokens out. Knows no text, no messages, no file paths.
 */
import type { ModelConfig } from '../model/config';
import type { TensorSource } from '../model/source';
import type { Sampling } from '../protocol';
import type { Gpu } from './gpu';

/**
 * How a prompt is encoded. `exact`: iterate until the keys and values stop changing (at most one
 * pass per token). `sequential`: token by token. A number: that many passes (an approximation).
 */
export type Passes = 'exact' | 'sequential' | number;

export interface EngineOptions {
  /** Most tokens the cache holds; default: the model's maxPositions, at most 4096. */
  contextTokens?: number;
  /** Split weights into pieces of at most this size; default: what the device can bind. */
  maxWeightBytes?: number;
  onProgress?: (fraction: number) => void;
  signal?: AbortSignal;
}

export interface PrefillOptions {
  passes?: Passes;
  signal?: AbortSignal;
}

export declare class Engine {
  static load(gpu: Gpu, source: TensorSource, options?: EngineOptions): Promise<Engine>;
  readonly config: ModelConfig;
  /** Most tokens the cache holds. */
  readonly contextTokens: number;
  /** Bytes of weights on the device. */
  readonly weightBytes: number;
  /** Token ids whose keys and values are held, oldest first. */
  readonly tokens: readonly number[];
  /** Keeps the first `length` tokens' keys and values: the exact state after them (lckv.md 3.7). */
  crop(length: number): void;
  /**
   * Appends tokens to the cache and leaves the last one's logits on the device. When the signal
   * aborts, throws its reason and the cache holds the tokens of the chunks that were finished.
   */
  prefill(tokens: readonly number[], options?: PrefillOptions): Promise<{ passes: number }>;
  /** As `prefill`, and returns the logits after each new token: f32 [tokens][vocabSize]. */
  prefillWithLogits(tokens: readonly number[], options?: PrefillOptions): Promise<Float32Array[]>;
  /** Chooses the next token from the logits of the last one. Does not append it. */
  pick(sampling: Sampling, random: () => number): Promise<number>;
  dispose(): void;
}
