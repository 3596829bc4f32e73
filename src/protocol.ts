/**
 * Every message between the extension host and the inference worker.
 * Imports no more than sentences. Each request with an id ends in exactly one `done` or `failed`.
 */
import type { Sentence } from './sentence';

/** Where the cursor is, as text. The worker turns it into token ids; the host never sees ids. */
export interface CompletionRequest {
  /** Workspace-relative path with forward slashes, or a bare file name. */
  path: string;
  /** VS Code language id, for example `typescript`. */
  language: string;
  /** Text before the cursor, from a stable left edge (see text/window.ts). */
  prefix: string;
  /** Text after the cursor that the model may see (see text/window.ts). */
  suffix: string;
  /** Text of other files, the most useful first; empty unless `ModelInfo.snippets`. */
  snippets: readonly Snippet[];
  /** Most tokens to generate. */
  maxTokens: number;
  /** 'line' ends at the first newline after some text, 'block' with the block (text/extent.ts). */
  extent: 'line' | 'block';
  /** Where the first line gets less probable than this, 0 to 1, the model stops; absent: 0. */
  confidence?: number;
  sampling: Sampling;
}

/** A few lines of another file that belong to what is being written. */
export interface Snippet {
  /** As `CompletionRequest.path`. */
  path: string;
  text: string;
}

/** How the next token is chosen. `temperature` 0 is greedy and ignores the rest. */
export interface Sampling {
  temperature: number;
  /** Keep the k likeliest tokens; 0 keeps all. */
  topK: number;
  /** Keep the smallest set of likeliest tokens with this much probability; 1 keeps all. */
  topP: number;
  /** Same seed, same text. */
  seed: number;
}

export const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };

/** Format of the weights on the GPU; `auto` is the checkpoint's own, or a smaller one that fits. */
export type PrecisionChoice = 'auto' | 'f16' | 'int8' | 'int4';

/** Which of a machine's GPUs to prefer, as WebGPU names them. */
export type PowerPreference = 'high-performance' | 'low-power';

/** A model folder and how to run it; null leaves it to the worker. */
export interface LoadRequest {
  modelDir: string;
  contextTokens: number | null;
  /** Part of an adapter's name. */
  adapter: string | null;
  powerPreference: PowerPreference;
  precision: PrecisionChoice;
  /** Memory for keys and values of earlier prompts, in bytes. */
  cacheBytes: number | null;
  /** Where it keeps which kernels are fastest on this machine; null: nowhere. */
  tuningFile: string | null;
}

/** Host to worker. A newer `complete` cancels the one before it; `ping` asks for a sign of life. */
export type ToWorker =
  /** `inUseBytes`: what other workers' models take of the same memory meanwhile. */
  | ({ kind: 'load'; inUseBytes: number } & LoadRequest)
  | { kind: 'complete'; id: number; request: CompletionRequest }
  /** Reads the prompt without completing it; gives way to everything else. */
  | { kind: 'prepare'; id: number; request: CompletionRequest }
  /** Completes in up to `count` ways at once. */
  | { kind: 'choose'; id: number; request: CompletionRequest; count: number }
  | { kind: 'cancel'; id: number }
  | { kind: 'stats'; id: number }
  | { kind: 'ping' };

/** What a worker does until it is ready, in this order. */
export type LoadStep = 'process' | 'files' | 'gpu' | 'weights';

/** Worker to host. */
export type FromWorker =
  /** `fraction`: the share of the step that is done, 0 to 1. */
  | { kind: 'loading'; fraction: number; what: LoadStep }
  | { kind: 'ready'; device: DeviceInfo; model: ModelInfo }
  | { kind: 'text'; id: number; text: string }
  /** Distinct completions, the likeliest beginning first. */
  | { kind: 'choices'; id: number; texts: string[] }
  | { kind: 'done'; id: number; reason: StopReason; timings: Timings }
  | { kind: 'stats'; id: number; stats: WorkerStats }
  | { kind: 'failed'; id: number | null; sentence: Sentence }
  | { kind: 'pong' };

/**
 * `end`: the model ended; `line`: the asked line is complete; `length`: maxTokens reached; `unsure`:
 * the first line got less probable than was asked for.
 */
export type StopReason = 'end' | 'line' | 'length' | 'unsure' | 'cancelled';

export interface Timings {
  /** Tokens of the whole prompt. */
  promptTokens: number;
  /** Those of them that are snippets of other files, with their paths. */
  snippetTokens: number;
  /** Prompt tokens whose keys and values were still in the cache. */
  reusedTokens: number;
  /** Most passes any prefilled chunk took. */
  passes: number;
  generatedTokens: number;
  /** Milliseconds spent on the prompt. */
  prefillMs: number;
  /** Milliseconds from the request to the first piece of text, or null when there was none. */
  firstTextMs: number | null;
  /** Milliseconds from the request to its end. */
  totalMs: number;
}

/** What the worker holds at the moment. */
export interface WorkerStats {
  /** Tokens whose keys and values are in the cache, and how many fit. */
  heldTokens: number;
  contextTokens: number;
  /** Earlier prompts whose keys and values are kept aside, and their bytes on the device. */
  warmPrompts: number;
  warmBytes: number;
  /** Resident memory of the worker process, in bytes. */
  processBytes: number;
}

export interface DeviceInfo {
  vendor: string;
  architecture: string;
  description: string;
  /** The adapter runs on the CPU (lavapipe, SwiftShader, WARP): works, but slowly. */
  software: boolean;
  subgroups: boolean;
}

export interface ModelInfo {
  name: string;
  parameters: number;
  layers: number;
  kvLayers: number;
  /** For each layer, the layer whose keys and values it reads. */
  kvSources: number[];
  contextTokens: number;
  /** Bytes of keys and values per token, and what a standard transformer of this shape needs. */
  kvBytesPerToken: number;
  standardKvBytesPerToken: number;
  weightBytes: number;
  /** What is smaller than was asked for because memory is short, or null. */
  reduced: Sentence | null;
  /** The model knows fill-in-the-middle; without it only the text before the cursor is used. */
  fillInTheMiddle: boolean;
  /** The model was trained with snippets of other files in its prompt. */
  snippets: boolean;
}
