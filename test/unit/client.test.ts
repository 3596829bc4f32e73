import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkerClient } from '../../src/host/worker/client';
import type { WorkerOptions } from '../../src/host/worker/options';
import { GREEDY, type CompletionRequest } from '../../src/protocol';
import { loadRequest } from '../load';

/**
 * Does what the prefix of a request says, so that a test can make any trouble it wants.
 * Loading the model `broken` fails; loading `deadly` ends the process.
 */
const SCRIPT = `
  const timings = { promptTokens: 4, reusedTokens: 3, passes: 1, generatedTokens: 2,
    prefillMs: 1, firstTextMs: 1, totalMs: 2 };
  const done = (id, reason) => process.send({ kind: 'done', id, reason, timings });
  const acts = {
    hello: (id) => {
      process.send({ kind: 'text', id, text: 'hel' });
      process.send({ kind: 'text', id, text: 'lo' });
      done(id, 'end');
    },
    wait: () => {},
    fail: (id) => process.send({ kind: 'failed', id, sentence: { template: 'No such token.', places: [] } }),
    garbage: (id) => {
      for (const message of [null, 7, 'text', [], {}, { kind: 'what' }, { kind: 'toString' },
        { kind: 'text', id: 'x' }, { kind: 'text', id: 999, text: 'lost' }, { kind: 'done', id }])
        process.send(message);
      done(id, 'end');
    },
    print: (id) => { console.log('to stdout'); console.error('to stderr'); done(id, 'end'); },
    exit: () => process.exit(3),
    lost: () => { process.send({ kind: 'failed', id: null, sentence: { template: 'The device was lost.', places: [] } }); },
  };
  const waiting = new Set();
  process.on('disconnect', () => process.exit());
  process.on('message', (message) => {
    if (message.kind === 'load') {
      if (message.modelDir === 'deadly') process.exit(1);
      if (message.modelDir === 'broken')
        return process.send({ kind: 'failed', id: null, sentence: { template: 'There is no model.', places: [] } });
      process.send({ kind: 'loading', fraction: 0.5, what: 'weights' });
      process.send({ kind: 'ready', device: {}, model: { name: message.modelDir } });
    } else if (message.kind === 'complete') {
      if (message.request.prefix === 'wait') waiting.add(message.id);
      acts[message.request.prefix](message.id);
    } else if (waiting.delete(message.id)) {
      console.log('cancelled ' + message.id);
      done(message.id, 'cancelled');
    }
  });`;

const requestOf = (prefix: string): CompletionRequest => ({
  path: 'a.ts',
  language: 'typescript',
  prefix,
  suffix: '',
  snippets: [],
  maxTokens: 8,
  extent: 'line',
  sampling: GREEDY,
});

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 10_000; !condition(); await sleep(5))
    if (performance.now() > end) throw new Error(`Timed out: ${what}`);
}

describe('WorkerClient', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lckv-client-'));
  const script = join(folder, 'worker.cjs');
  let client: WorkerClient;
  let lines: string[];
  let states: string[];

  function create(options: Partial<WorkerOptions> = {}): void {
    client?.stop();
    lines = [];
    states = [];
    const log = (line: string) => lines.push(line);
    const onChange = () => states.push(client.state.kind);
    client = new WorkerClient({ script, log, onChange, retryMs: 20, ...options });
  }

  const ask = (prefix: string, signal = new AbortController().signal) =>
    client.complete(requestOf(prefix), signal);
  const ready = () => until(() => client.state.kind === 'ready', 'ready');
  const failed = () => until(() => client.state.kind === 'failed', 'failed');

  before(() => writeFileSync(script, SCRIPT));
  beforeEach(async () => {
    create();
    client.start(loadRequest('model'));
    await ready();
  });
  after(() => {
    client.stop();
    rmSync(folder, { recursive: true });
  });

  it('goes from stopped over starting to ready, and back', () => {
    assert.deepEqual(new Set(states), new Set(['starting', 'ready']));
    assert.ok(client.pid);
    client.stop();
    assert.equal(client.state.kind, 'stopped');
    assert.equal(client.pid, undefined);
  });

  it('joins the pieces of a completion and keeps its timings', async () => {
    const pending = ask('hello');
    assert.equal(client.busy, true);
    const completion = await pending;
    assert.deepEqual([completion?.text, completion?.reason], ['hello', 'end']);
    assert.equal(client.busy, false);
    assert.equal(client.timings?.reusedTokens, 3);
  });

  it('tells the text as it comes', async () => {
    const pieces: string[] = [];
    const { signal } = new AbortController();
    await client.complete(requestOf('hello'), signal, (piece) => pieces.push(piece));
    assert.deepEqual(pieces, ['hel', 'lo']);
  });

  it('cancels in the worker and answers at once', async () => {
    const controller = new AbortController();
    const pending = ask('wait', controller.signal);
    controller.abort();
    assert.equal(await pending, undefined);
    assert.equal(client.busy, false);
    await until(() => lines.some((line) => line.startsWith('cancelled')), 'cancelled');
    assert.equal(client.timings, undefined);
    assert.equal((await ask('hello'))?.text, 'hello');
  });

  it('has no answer before it is ready, after it stopped, or for an aborted signal', async () => {
    assert.equal(await ask('hello', AbortSignal.abort()), undefined);
    client.restart();
    assert.equal(await ask('hello'), undefined);
    client.stop();
    assert.equal(await ask('hello'), undefined);
  });

  it('rejects with the message of a failed completion, and goes on', async () => {
    await assert.rejects(ask('fail'), { message: 'No such token.' });
    assert.equal(client.state.kind, 'ready');
    assert.equal((await ask('hello'))?.text, 'hello');
  });

  it('ignores messages that are not of the protocol', async () => {
    assert.equal((await ask('garbage'))?.text, '');
    assert.equal(lines.filter((line) => line.includes('something unknown')).length, 9);
  });

  it('passes on what the worker prints', async () => {
    await ask('print');
    await until(() => lines.includes('to stdout') && lines.includes('to stderr'), 'lines');
  });

  it('starts again after a death, and gives up on what was under way', async () => {
    const { pid } = client;
    const [waiting, exiting] = [ask('wait'), ask('exit')];
    assert.deepEqual(await Promise.all([waiting, exiting]), [undefined, undefined]);
    assert.equal(client.state.kind, 'failed');
    await ready();
    assert.notEqual(client.pid, pid);
    assert.equal((await ask('hello'))?.text, 'hello');
  });

  it('starts again after it was killed', async () => {
    process.kill(client.pid!, 'SIGKILL');
    await failed();
    assert.ok(lines.some((line) => line.includes('SIGKILL')));
    await ready();
  });

  it('starts again after a lost device, and says so', async () => {
    void ask('lost');
    await failed();
    assert.ok(client.state.kind === 'failed' && client.state.message === 'The device was lost.');
    await ready();
  });

  it('waits twice as long after each death, up to a limit', async () => {
    const waits: number[] = [];
    create({
      retryMs: 2,
      maxRetryMs: 10,
      onChange: () => {
        if (client.state.kind === 'failed') waits.push(client.state.retryMs!);
      },
    });
    client.start(loadRequest('deadly'));
    await until(() => waits.length >= 5, 'five deaths');
    assert.deepEqual(waits.slice(0, 5), [2, 4, 8, 10, 10]);
  });

  it('forgets old deaths once it was healthy for a while', async () => {
    const waits: number[] = [];
    const note = () => {
      if (client.state.kind === 'failed') waits.push(client.state.retryMs!);
    };
    create({ healthyMs: 30, onChange: note });
    client.start(loadRequest('model'));
    for (let death = 0; death < 2; death++) {
      await ready();
      await sleep(60);
      await ask('exit');
    }
    assert.deepEqual(waits, [20, 20]);
  });

  it('does not try again what cannot be loaded, until it is told to', async () => {
    create();
    client.start(loadRequest('broken'));
    await failed();
    assert.deepEqual(client.state, {
      kind: 'failed',
      message: 'There is no model.',
      retryMs: null,
    });
    process.kill(client.pid!, 'SIGKILL');
    await until(() => client.pid === undefined, 'dead');
    await sleep(60);
    assert.equal(client.state.kind, 'failed');
    client.start(loadRequest('model'));
    await ready();
  });

  it('keeps running when it is started with the same model, and changes to another', async () => {
    const { pid } = client;
    client.start(loadRequest('model'));
    assert.equal(client.pid, pid);
    client.start(loadRequest('other'));
    assert.notEqual(client.pid, pid);
    await ready();
    assert.ok(client.state.kind === 'ready' && client.state.model.name === 'other');
  });

  it('reports a script that is not there', async () => {
    create({ script: join(folder, 'none.cjs') });
    client.start(loadRequest('model'));
    await failed();
    assert.ok(client.state.kind === 'failed' && /ended with code 1/.test(client.state.message));
  });

  it('leaves no process behind when it stops', async () => {
    const pid = client.pid!;
    client.stop();
    await until(() => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    }, 'ended');
  });
});
