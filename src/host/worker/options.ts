// How a worker is run, and with which model.
import type { LoadRequest } from '../../protocol';

/** What a worker is started with. */
export type Load = LoadRequest;

/** Where the worker's script is, and whom to tell. */
export interface WorkerOptions {
  script: string;
  /** Gets every line that the worker prints, and what the client has to say about it. */
  log(line: string): void;
  /** Called after `state` or `busy` has changed. */
  onChange(): void;
  /** What other workers' models take of the GPU's memory, in bytes; asked at every start. */
  inUseBytes?(): number;
  /** Milliseconds before a dead worker is started again, doubled up to `maxRetryMs`. */
  retryMs?: number;
  maxRetryMs?: number;
  /** A worker that was ready this long counts as healthy, in milliseconds. */
  healthyMs?: number;
  /** Milliseconds between two questions whether a working worker is alive. */
  pingMs?: number;
}
