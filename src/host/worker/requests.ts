// Requests to a worker that are not answered yet: their ids, their text as it comes, their end.
import type { FromWorker, StopReason, Timings, ToWorker, WorkerStats } from '../../protocol';

/** A finished completion. */
export interface Completion {
  text: string;
  /** Only of a `choose`. */
  choices: string[];
  reason: StopReason;
  timings: Timings;
}

interface Pending {
  text: string;
  choices: string[];
  /** Absent where no suggestion is waited for, so that nothing is measured. */
  onText: ((piece: string) => void) | undefined;
  resolve(completion: Completion | undefined): void;
  reject(error: Error): void;
}

/** What a worker says about one request. */
type Answer = Extract<FromWorker, { id: number }>;

/** Everything that was asked of a worker and waits for an answer. */
export class Requests {
  private readonly send: (message: ToWorker) => void;
  private readonly onChange: () => void;
  private readonly pending = new Map<number, Pending>();
  private readonly questions = new Map<number, (stats?: WorkerStats) => void>();
  private latestTimings: Timings | undefined;
  private lastId = 0;

  /** `onChange` is called when a completion begins or ends. */
  constructor(send: (message: ToWorker) => void, onChange: () => void) {
    this.send = send;
    this.onChange = onChange;
  }

  /** A completion is under way. */
  get busy(): boolean {
    return this.pending.size > 0;
  }

  /** Timings of the last completion that ended by itself. */
  get timings(): Timings | undefined {
    return this.latestTimings;
  }

  /** Sends a request and waits for its end; undefined when it was cancelled or abandoned. */
  ask(
    message: (id: number) => ToWorker,
    signal: AbortSignal,
    onText?: (piece: string) => void,
  ): Promise<Completion | undefined> {
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
      this.onChange();
    });
  }

  /** Asks what the worker holds; undefined when it is abandoned. */
  stats(): Promise<WorkerStats | undefined> {
    const id = ++this.lastId;
    return new Promise((resolve) => {
      this.questions.set(id, resolve);
      this.send({ kind: 'stats', id });
    });
  }

  /** Takes notice of what the worker says about one of them. */
  take(message: Answer): void {
    const pending = this.pending.get(message.id);
    switch (message.kind) {
      case 'text':
        if (!pending) break;
        pending.text += message.text;
        pending.onText?.(message.text);
        break;
      case 'choices':
        if (pending) pending.choices = message.texts;
        break;
      case 'done':
        this.done(message);
        break;
      case 'stats':
        this.questions.get(message.id)?.(message.stats);
        this.questions.delete(message.id);
        break;
      default:
        message satisfies never;
    }
  }

  /** Ends one with the worker's message. */
  fail(id: number, message: string): void {
    this.settle(id)?.reject(new Error(message));
  }

  /** Ends all without an answer. */
  abandon(): void {
    for (const answer of this.questions.values()) answer();
    this.questions.clear();
    for (const id of [...this.pending.keys()]) this.settle(id)?.resolve(undefined);
  }

  private done({ id, reason, timings }: Extract<Answer, { kind: 'done' }>): void {
    const pending = this.settle(id);
    if (reason !== 'cancelled' && pending?.onText) this.latestTimings = timings;
    if (!pending) return;
    const { text, choices } = pending;
    pending.resolve(reason === 'cancelled' ? undefined : { text, choices, reason, timings });
  }

  /** Takes a request off the list. */
  private settle(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    if (this.pending.delete(id)) this.onChange();
    return pending;
  }
}
