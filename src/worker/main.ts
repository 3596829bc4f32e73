/**
 * Entry of the worker process: messages of protocol.ts to and from a Session. The only file that
 * uses the process's channel. Started by the host with `fork(..., { serialization: 'advanced' })`.
 */
import type { FromWorker, LoadStep, ToWorker } from '../protocol';
import { sentenceOf } from '../sentence';
import { messageId, parseMessage } from './message';
import { Session } from './session';
import type { Completed } from './turn';

/** The newest load: aborted by the next one, settled when it holds no device any more. */
let loading = { abort: new AbortController(), settled: Promise.resolve() };
let session: Session | null = null;
const running = new Map<number, AbortController>();

function send(message: FromWorker): void {
  // Without a callback, a parent that is just leaving would be an uncaught error.
  if (process.connected) process.send!(message, undefined, undefined, () => {});
}

function fail(id: number | null, error: unknown): void {
  send({ kind: 'failed', id, sentence: sentenceOf(error) });
}

function receive(message: ToWorker): Promise<void> | void {
  switch (message.kind) {
    case 'load':
      return load(message);
    case 'complete':
    case 'prepare':
    case 'choose':
      return answer(message);
    case 'stats':
      if (!session) throw new Error('No model is loaded. Load one first.');
      return send({ kind: 'stats', id: message.id, stats: session.stats() });
    case 'cancel':
      return running.get(message.id)?.abort();
    case 'ping':
      return send({ kind: 'pong' });
  }
}

/** Replaces the model. Ends in `ready` or `failed`, or in nothing when a newer load came. */
async function load(message: ToWorker & { kind: 'load' }): Promise<void> {
  const before = loading;
  const abort = new AbortController();
  const { signal } = abort;
  const settled = before.settled.then(async () => {
    if (signal.aborted) return;
    const old = session;
    session = null;
    await old?.dispose();
    const onProgress = (fraction: number, what: LoadStep) => {
      if (!signal.aborted) send({ kind: 'loading', fraction, what });
    };
    const opened = await Session.open(message.modelDir, { ...message, onProgress, signal });
    if (signal.aborted) return opened.dispose();
    session = opened;
    void opened.lost.then(leave);
    send({ kind: 'ready', device: opened.device, model: opened.info() });
  });
  loading = { abort, settled: settled.catch(() => {}) };
  before.abort.abort();
  try {
    await settled;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

type Request = Extract<ToWorker, { request: unknown }>;

async function answer(message: Request): Promise<void> {
  const { id } = message;
  if (!session) throw new Error('No model is loaded. Load one first.');
  if (running.has(id)) throw new Error(`Request ${id} is already running. Use a new id.`);
  const controller = new AbortController();
  running.set(id, controller);
  try {
    send({ kind: 'done', id, ...(await run(session, message, controller.signal)) });
  } finally {
    running.delete(id);
  }
}

/** Does what a request asks for; tells everything but its end. */
async function run(on: Session, message: Request, signal: AbortSignal): Promise<Completed> {
  const { kind, id, request } = message;
  if (kind === 'prepare') return on.prepare(request, signal);
  if (kind === 'choose') {
    const { texts, ...completed } = await on.choose(request, message.count, signal);
    send({ kind: 'choices', id, texts });
    return completed;
  }
  const pieces = on.complete(request, signal);
  for (;;) {
    const { value, done } = await pieces.next();
    if (done) return value;
    send({ kind: 'text', id, text: value });
  }
}

/** Reports why and ends the process; the host starts a new one. */
function leave(reason: unknown): void {
  fail(null, reason);
  process.exitCode = 1;
  if (process.connected) process.disconnect();
}

if (process.send) {
  process.on('message', (message: unknown) => {
    void (async () => {
      try {
        await receive(parseMessage(message));
      } catch (error) {
        fail(messageId(message), error);
      }
    })();
  });
  process.on('uncaughtException', leave);
  // Dawn keeps Node alive, so the end must be said.
  process.on('disconnect', () => process.exit());
} else {
  process.stderr.write('This is the worker of the LCKV extension; use dist/lckv.mjs instead.\n');
  process.exitCode = 2;
}
