// The inference worker as the host sees it: a child process that may die at any time.
// Starts it again when it does, and notices when it hangs. Knows no editor.
import type { ChildProcess } from 'node:child_process';
import { t } from '@vscode/l10n';
import type { CompletionRequest, Timings, ToWorker, WorkerStats } from '../../protocol';
import { english, phrase, type Sentence } from '../../sentence';
import { isFromWorker } from './message';
import type { Load, WorkerOptions } from './options';
import { forkWorker } from './process';
import { Requests, type Completion } from './requests';
import { STOPPED, type WorkerState } from './state';
import { Watchdog } from './watchdog';

/** So many questions without an answer are a hang; loading may compile for a while. */
const SILENT_PINGS = { working: 4, starting: 24 };

/** Runs the worker and talks to it. At most one process at a time. */
export class WorkerClient {
  private readonly options: Required<WorkerOptions>;
  private readonly requests = new Requests(
    (message) => this.send(message),
    () => this.changed(),
  );
  private child: ChildProcess | undefined;
  private load: Load | undefined;
  private currentState: WorkerState = STOPPED;
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
    return this.requests.busy;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Timings of the last completion that ended by itself. */
  get timings(): Timings | undefined {
    return this.requests.timings;
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
    ...[message, signal, onText]: Parameters<Requests['ask']>
  ): ReturnType<Requests['ask']> {
    if (this.currentState.kind !== 'ready' || signal.aborted) return Promise.resolve(undefined);
    return this.requests.ask(message, signal, onText);
  }

  /** What the worker holds; undefined when it is not ready or dies. */
  stats(): Promise<WorkerStats | undefined> {
    if (this.currentState.kind !== 'ready') return Promise.resolve(undefined);
    return this.requests.stats();
  }

  private spawn(load: Load): void {
    const child = forkWorker(this.options.script, (line) => {
      if (this.load) this.options.log(line);
    });
    this.child = child;
    child.on('message', (message) => {
      if (this.child === child) this.receive(message);
    });
    child.once('error', ({ message }) =>
      this.died(child, t('The inference worker could not be started: {0}.', message)),
    );
    child.once('exit', (code, signal) => {
      const how = signal ?? t('code {0}', String(code));
      this.died(child, t('The inference worker ended with {0}.', how));
    });
    this.options.log(`worker ${child.pid ?? ''} started`);
    this.become({ kind: 'starting', fraction: 0, what: 'process' });
    this.send({ kind: 'load', inUseBytes: this.options.inUseBytes(), ...load });
  }

  /** Ends the process without starting another. */
  private end(): void {
    clearTimeout(this.timer);
    const child = this.child;
    this.child = undefined;
    child?.kill('SIGKILL'); // it has nothing to save, and a stopped one hears nothing else
    this.requests.abandon();
  }

  private died(child: ChildProcess, message: string): void {
    if (this.child !== child) return;
    this.end();
    this.options.log(`worker ${child.pid ?? ''}: ${message}`);
    const failure = this.currentState.kind === 'failed' ? this.currentState : undefined;
    if (failure?.retryMs === null) return;
    const { retryMs: first, maxRetryMs } = this.options;
    const retryMs = Math.min(first * 2 ** this.deaths++, maxRetryMs);
    this.timer = setTimeout(() => this.load && this.spawn(this.load), retryMs);
    this.become({ kind: 'failed', message: failure?.message ?? message, retryMs });
  }

  private hung(silentMs: number): void {
    const seconds = silentMs / 1000;
    const message = t('The inference worker gave no sign of life for {0} s.', seconds);
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
      case 'failed':
        this.failed(message.id, message.sentence);
        break;
      case 'pong':
        break;
      case 'text':
      case 'choices':
      case 'done':
      case 'stats':
        this.requests.take(message);
        break;
      default:
        message satisfies never;
    }
  }

  private failed(id: number | null, sentence: Sentence): void {
    this.options.log(`worker failed: ${english(sentence)}`);
    const message = phrase(sentence, t);
    if (id !== null) {
      this.requests.fail(id, message);
      return;
    }
    // The first failure decides: a process that is being ended may still tell of others.
    if (this.currentState.kind === 'failed') return;
    // What fails before it was ready fails again; later, as with a lost device, a new start helps.
    const wasReady = this.currentState.kind === 'ready';
    this.become({ kind: 'failed', message, retryMs: wasReady ? this.options.retryMs : null });
    if (wasReady) this.child?.kill();
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
