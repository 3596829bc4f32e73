// Two workers for a moment: the model in use goes on serving until the next one is ready, and stays
// if that one fails. To the rest of the host it looks like one worker.
import type { ModelInfo, Timings } from '../../protocol';
import { WorkerClient } from './client';
import type { Load, WorkerOptions } from './options';
import type { WorkerState } from './state';

/** What a relay needs besides its workers' options. */
export interface RelayOptions extends WorkerOptions {
  /** Called when a model that was asked for cannot serve; `kept` says whether another one does. */
  onRefused(load: Load, message: string, kept: boolean): void;
}

/** Serves one model at a time and hands over without a gap. */
export class WorkerRelay {
  private readonly options: RelayOptions;
  private current: WorkerClient;
  private next: WorkerClient | undefined;
  /** What `current` and `next` were started with. */
  private load: Load | undefined;
  private nextLoad: Load | undefined;
  /** Replaced, but still with requests to finish. */
  private readonly leaving = new Set<WorkerClient>();

  constructor(options: RelayOptions) {
    this.options = options;
    this.current = this.create();
  }

  get state(): WorkerState {
    return this.current.state;
  }

  /** A completion is under way. */
  get busy(): boolean {
    return this.current.busy;
  }

  get pid(): number | undefined {
    return this.current.pid;
  }

  /** The folder of the model in use. */
  get modelDir(): string | undefined {
    return this.load?.modelDir;
  }

  /** Timings of the last completion that ended by itself. */
  get timings(): Timings | undefined {
    return this.current.timings;
  }

  complete(...request: Parameters<WorkerClient['complete']>): ReturnType<WorkerClient['complete']> {
    return this.current.complete(...request);
  }

  prepare(...request: Parameters<WorkerClient['prepare']>): ReturnType<WorkerClient['prepare']> {
    return this.current.prepare(...request);
  }

  choose(...request: Parameters<WorkerClient['choose']>): ReturnType<WorkerClient['choose']> {
    return this.current.choose(...request);
  }

  stats(): ReturnType<WorkerClient['stats']> {
    return this.current.stats();
  }

  /** Starts the worker with this model, or hands over to it once it is ready. */
  start(load: Load): void {
    if (this.next && isSame(load, this.nextLoad)) return;
    this.dropNext();
    if (this.current.state.kind !== 'ready' || isSame(load, this.load)) {
      this.load = load;
      this.current.start(load);
      return;
    }
    this.options.log(`${load.modelDir} is being loaded; ${this.load?.modelDir} serves until then`);
    this.nextLoad = load;
    this.next = this.create();
    this.next.start(load);
  }

  /** Starts the worker afresh with the model it had; does nothing after `stop`. */
  restart(): void {
    this.current.restart();
  }

  /** Ends all workers, until the next `start`. */
  stop(): void {
    this.dropNext();
    for (const worker of this.leaving) worker.stop();
    this.leaving.clear();
    this.load = undefined;
    this.current.stop();
  }

  private create(): WorkerClient {
    const worker: WorkerClient = new WorkerClient({
      ...this.options,
      onChange: () => this.changed(worker),
      inUseBytes: () => this.inUseBytes(worker),
    });
    return worker;
  }

  /** What the models of the workers besides this one take. */
  private inUseBytes(worker: WorkerClient): number {
    const others = [this.current, ...this.leaving].filter((other) => other && other !== worker);
    return others.reduce(
      (sum, { state }) => sum + (state.kind === 'ready' ? bytesOf(state.model) : 0),
      0,
    );
  }

  private changed(worker: WorkerClient): void {
    if (worker === this.next) this.nextChanged(worker);
    else if (worker === this.current) this.currentChanged(worker);
    else if (this.leaving.has(worker) && !worker.busy) this.leave(worker);
  }

  private nextChanged(next: WorkerClient): void {
    const load = this.nextLoad!;
    if (next.state.kind === 'failed') {
      const { message } = next.state;
      this.dropNext();
      this.options.onRefused(load, message, true);
    } else if (next.state.kind === 'ready') {
      const old = this.current;
      this.current = next;
      this.load = load;
      this.next = this.nextLoad = undefined;
      if (old.busy) this.leaving.add(old);
      else old.stop();
      this.options.onChange();
    }
  }

  private currentChanged({ state }: WorkerClient): void {
    this.options.onChange();
    // Whoever cannot be loaded is not tried again by itself.
    if (state.kind === 'failed' && state.retryMs === null && this.load)
      this.options.onRefused(this.load, state.message, false);
  }

  private dropNext(): void {
    const { next } = this;
    this.next = this.nextLoad = undefined;
    next?.stop();
  }

  private leave(worker: WorkerClient): void {
    this.leaving.delete(worker);
    worker.stop();
  }
}

/** Weights and a full cache. */
function bytesOf({ weightBytes, kvBytesPerToken, contextTokens }: ModelInfo): number {
  return weightBytes + kvBytesPerToken * contextTokens;
}

function isSame(a: Load, b: Load | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
