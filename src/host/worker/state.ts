// What a worker is up to, as the rest of the host sees it.
import type { DeviceInfo, LoadStep, ModelInfo } from '../../protocol';

/** What the worker is up to. */
export type WorkerState =
  | { kind: 'stopped' }
  | { kind: 'starting'; fraction: number; what: LoadStep }
  | { kind: 'ready'; device: DeviceInfo; model: ModelInfo }
  /** `retryMs` is null when starting again would fail again, as with a model that is not there. */
  | { kind: 'failed'; message: string; retryMs: number | null };

export const STOPPED: WorkerState = { kind: 'stopped' };
