/**
 * What the engine needs from a checkpoint: a checked config and tensors by name.
 * Plain data; knows nothing of files, GPUs or text.
 */
import type { ModelConfig } from './config';

/** How a tensor's numbers are stored. I8 comes with a companion `<name>_scale` tensor in F16. */
export type Dtype = 'F32' | 'F16' | 'BF16' | 'I8';

export interface TensorInfo {
  name: string;
  dtype: Dtype;
  /** Row-major, outermost first. */
  shape: number[];
  sizeBytes: number;
}

export interface TensorSource {
  /** What people call the model. */
  readonly name: string;
  readonly config: ModelConfig;
  /** The model's tensors, without the scales of I8 ones. */
  readonly tensors: readonly TensorInfo[];
  /** Bytes of all tensors the model needs. */
  readonly totalBytes: number;
  /** Throws when the checkpoint lacks the tensor; `has` tells beforehand. */
  info(name: string): TensorInfo;
  has(name: string): boolean;
  /**
   * Bytes [begin, end) of the tensor, all of them if not said; little-endian, row-major. A fresh
   * copy, aligned to 8 bytes.
   */
  read(name: string, begin?: number, end?: number): Promise<Uint8Array>;
}
