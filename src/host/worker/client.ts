// The inference worker as the host sees it: a child process that may die at any time.
// Starts it again when it does; keeps request ids, cancellation and timings. Knows no editor.
import { fork, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type {
  CompletionRequest,
  DeviceInfo,
  LoadRequest,
  ModelInfo,
  StopReason,
  Timings,
  ToWorker,
  WorkerStats,
} from '../../protocol';
import { isFromWorker } from './message';
import { Watchdog } from './watchdog';

/** What the worker is up to. */
export type WorkerState =
  | { kind: 'stopped' }
  | { kind: 'starting'; fraction: number; what: string }
  | { kind: 'ready'; device: DeviceInfo; model: ModelInfo }
  /** `retryMs` is null when starting again would fail again, as with a model that is not there. */
  | { kind: 'failed'; message: string; retryMs: number | null };

/** What a worker is started with. */
export type Load = LoadRequest;

/** A finished completion. */
export interface Completion {
  text: string;
  /** Only of a `choose`. */
  choices: string[];
  reason: StopReason;
  timings: Timings;
}

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

interface Pending {
  text: string;
  choices: string[];
  /** Absent where no suggestion is waited for, so that nothing is measured. */
  onText: ((piece: string) => void) | undefined;
  resolve(completion: Completion | undefined): void;
  reject(error: Error): void;
}

/** So many questions without an answer are a hang; loading may compile for a while. */
const SILENT_PINGS = { working: 4, starting: 24 };

const STOPPED: WorkerState = { kind: 'stopped' };

/** Runs the worker and talks to it. At most one process at a time. */
export class WorkerClient {
  private readonly options: Required<WorkerOptions>;
  private readonly pending = new Map<number, Pending>();
  private readonly asked = new Map<number, (stats?: WorkerStats) => void>();
  private child: ChildProcess | undefined;
  private load: Load | undefined;
  private currentState: WorkerState = STOPPED;
  private latestTimings: Timings | undefined;
  private lastId = 0;
  private deaths = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly watchdog: Watchdog;

  constructor(options: WorkerOptions) {
    const times = { retryMs: 500, maxRetryMs: 30_000, healthyMs: 60_000, pingMs: 5000 };
    this.options = { ...times, inUseBytes: () => 0, ...options };
    this.watchdog = new Watchdog({
      everyMs: this.options.pingMs,
      ask: () => this.send({ kind: 'ping' }),
      onHang: (silentMs) => this.hung(silentMs),
    });
  }

  get state(): WorkerState {
    return this.currentState;
  }

  /** A completion is under way. */
  get busy(): boolean {
    return this.pending.size > 0;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Timings of the last completion that ended by itself. */
  get timings(): Timings | undefined {
    return this.latestTimings;
  }

  /** Starts the worker with this model, or again if it runs with another one. */
  start(load: Load): void {
    const isSame = JSON.stringify(load) === JSON.stringify(this.load);
    if (isSame && this.currentState.kind !== 'failed') return;
    this.load = load;
    this.restart();
  }

  /** Starts the worker afresh with the model it had; does nothing after `stop`. */
  restart(): void {
    if (!this.load) return;
    this.end();
    this.deaths = 0;
    this.spawn(this.load);
  }

  /** Ends the worker for good, until the next `start`. */
  stop(): void {
    this.load = undefined;
    this.end();
    this.become(STOPPED);
  }

  /**
   * Asks for a completion, tells its text as it comes and waits for its end. Resolves with
   * undefined when it was cancelled or the worker is not ready or dies; rejects with the worker's
   * message when it failed.
   */
  complete(
    request: CompletionRequest,
    signal: AbortSignal,
    onText: (piece: string) => void = () => {},
  ): Promise<Completion | undefined> {
    return this.ask((id) => ({ kind: 'complete', id, request }), signal, onText);
  }

  /** Has the worker read a prompt, unless it has something else to do. */
  async prepare(request: CompletionRequest, signal: AbortSignal): Promise<Timings | undefined> {
    const done = await this.ask((id) => ({ kind: 'prepare', id, request }), signal);
    return done?.timings;
  }

  /** Asks for up to `count` completions; undefined as for `complete`. */
  async choose(
    request: CompletionRequest,
    count: number,
    signal: AbortSignal,
  ): Promise<string[] | undefined> {
    const done = await this.ask((id) => ({ kind: 'choose', id, request, count }), signal);
    return done?.choices;
  }

  private ask(
    message: (id: number) => ToWorker,
    signal: AbortSignal,
    onText?: (piece: string) => void,
  ): Promise<Completion | undefined> {
    if (this.currentState.kind !== 'ready' || signal.aborted) return Promise.resolve(undefined);
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      const cancel = () => {
        this.send({ kind: 'cancel', id });
        this.settle(id)?.resolve(undefined);
      };
      const forget = () => signal.removeEventListener('abort', cancel);
      signal.addEventListener('abort', cancel, { once: true });
      this.pending.set(id, {
        text: '',
        choices: [],
        onText,
        resolve: (completion) => (forget(), resolve(completion)),
        reject: (error) => (forget(), reject(error)),
      });
      this.send(message(id));
      this.changed();
    });
  }

  /** What the worker holds; undefined when it is not ready or dies. */
  stats(): Promise<WorkerStats | undefined> {
    if (this.currentState.kind !== 'ready') return Promise.resolve(undefined);
    const id = ++this.lastId;
    return new Promise((resolve) => {
      this.asked.set(id, resolve);
      this.send({ kind: 'stats', id });
    });
  }

  private spawn(load: Load): void {
    // In a desktop VS Code the program is Electron, which must be told to be Node.
    const electron = 'electron' in process.versions ? { ELECTRON_RUN_AS_NODE: '1' } : {};
    const child = fork(this.options.script, [], {
      execPath: process.execPath,
      execArgv: [],
      env: { ...process.env, ...electron },
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child = child;
    for (const stream of [child.stdout!, child.stderr!])
      createInterface({ input: stream }).on('line', (line) => {
        if (this.load) this.options.log(line);
      });
    child.on('message', (message) => {
      if (this.child === child) this.receive(message);
    });
    child.once('error', (error) => this.died(child, error.message));
    child.once('exit', (code, signal) =>
      this.died(child, `ended with ${signal ?? `code ${code}`}`),
    );
    this.options.log(`worker ${child.pid ?? ''} started`);
    this.become({ kind: 'starting', fraction: 0, what: 'starting' });
    this.send({ kind: 'load', inUseBytes: this.options.inUseBytes(), ...load });
  }

  /** Ends the process without starting another. */
  private end(): void {
    clearTimeout(this.timer);
    const child = this.child;
    this.child = undefined;
    child?.kill('SIGKILL'); // it has nothing to save, and a stopped one hears nothing else
    this.abandon();
  }

  private died(child: ChildProcess, how: string): void {
    if (this.child !== child) return;
    this.end();
    this.options.log(`worker ${child.pid ?? ''} ${how}`);
    const failure = this.currentState.kind === 'failed' ? this.currentState : undefined;
    if (failure?.retryMs === null) return;
    const { retryMs: first, maxRetryMs } = this.options;
    const retryMs = Math.min(first * 2 ** this.deaths++, maxRetryMs);
    this.timer = setTimeout(() => this.load && this.spawn(this.load), retryMs);
    const message = failure?.message ?? `The inference worker ${how}.`;
    this.become({ kind: 'failed', message, retryMs });
  }

  private hung(silentMs: number): void {
    const message = `The inference worker gave no sign of life for ${silentMs / 1000} s.`;
    this.options.log(message);
    this.become({ kind: 'failed', message, retryMs: this.options.retryMs });
    this.child?.kill('SIGKILL');
  }

  private receive(message: unknown): void {
    this.watchdog.heard();
    if (!isFromWorker(message)) {
      this.options.log(`worker sent something unknown: ${JSON.stringify(message)?.slice(0, 200)}`);
      return;
    }
    switch (message.kind) {
      case 'loading':
        if (this.currentState.kind === 'starting')
          this.become({ kind: 'starting', fraction: message.fraction, what: message.what });
        break;
      case 'ready': {
        const { device, model } = message;
        this.timer = setTimeout(() => (this.deaths = 0), this.options.healthyMs);
        this.timer.unref();
        this.become({ kind: 'ready', device, model });
        break;
      }
      case 'text': {
        const pending = this.pending.get(message.id);
        if (!pending) break;
        pending.text += message.text;
        pending.onText?.(message.text);
        break;
      }
      case 'choices': {
        const pending = this.pending.get(message.id);
        if (pending) pending.choices = message.texts;
        break;
      }
      case 'done': {
        const { reason, timings } = message;
        const pending = this.settle(message.id);
        if (reason !== 'cancelled' && pending?.onText) this.latestTimings = timings;
        if (!pending) break;
        const { text, choices } = pending;
        pending.resolve(reason === 'cancelled' ? undefined : { text, choices, reason, timings });
        break;
      }
      case 'stats':
        this.asked.get(message.id)?.(message.stats);
        this.asked.delete(message.id);
        break;
      case 'failed':
        this.failed(message.id, message.message);
        break;
      case 'pong':
        break;
      default:
        message satisfies never;
    }
  }

  private failed(id: number | null, message: string): void {
    this.options.log(`worker failed: ${message}`);
    if (id !== null) {
      this.settle(id)?.reject(new Error(message));
      return;
    }
    // The first failure decides: a process that is being ended may still tell of others.
    if (this.currentState.kind === 'failed') return;
    // What fails before it was ready fails again; later, as with a lost device, a new start helps.
    const wasReady = this.currentState.kind === 'ready';
    this.become({ kind: 'failed', message, retryMs: wasReady ? this.options.retryMs : null });
    if (wasReady) this.child?.kill();
  }

  /** Takes a request off the list. */
  private settle(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    if (this.pending.delete(id)) this.changed();
    return pending;
  }

  private abandon(): void {
    for (const answer of this.asked.values()) answer();
    this.asked.clear();
    for (const id of [...this.pending.keys()]) this.settle(id)?.resolve(undefined);
  }

  private become(state: WorkerState): void {
    this.currentState = state;
    this.changed();
  }

  private changed(): void {
    const isStarting = this.currentState.kind === 'starting';
    if (isStarting || this.busy)
      this.watchdog.watch(isStarting ? SILENT_PINGS.starting : SILENT_PINGS.working);
    else this.watchdog.rest();
    this.options.onChange();
  }

  private send(message: ToWorker): void {
    // A worker that is gone cannot be told; its exit is dealt with in `died`.
    if (this.child?.connected) this.child.send(message, () => {});
  }
}
