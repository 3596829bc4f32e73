import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkerRelay } from '../../src/host/worker/relay';
import { GREEDY } from '../../src/protocol';
import { loadRequest } from '../load';

/**
 * A worker that answers each request with its model's name. `broken` cannot be loaded, `deadly`
 * ends the process; loading takes a while, and so does a request for `slow`.
 */
const SCRIPT = `
  let name = '';
  process.on('disconnect', () => process.exit());
  process.on('message', (message) => {
    if (message.kind === 'load') {
      name = message.modelDir;
      setTimeout(() => {
        if (name === 'deadly') process.exit(1);
        if (name === 'broken')
          return process.send({ kind: 'failed', id: null, sentence: { template: 'There is no model.', places: [] } });
        const model = { name, weightBytes: 1000 + message.inUseBytes, kvBytesPerToken: 2, contextTokens: 10 };
        process.send({ kind: 'ready', device: {}, model });
      }, 100);
    } else if (message.kind === 'complete') {
      const { id } = message;
      setTimeout(() => {
        process.send({ kind: 'text', id, text: name });
        process.send({ kind: 'done', id, reason: 'end', timings: {} });
      }, message.request.prefix === 'slow' ? 400 : 0);
    }
  });`;

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 10_000; !condition(); await sleep(5))
    if (performance.now() > end) throw new Error(`Timed out: ${what}`);
}

describe('WorkerRelay', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lckv-relay-'));
  const script = join(folder, 'worker.cjs');
  let relay: WorkerRelay;
  let pids: Set<number>;
  let kinds: Set<string>;
  let refused: [string, string, boolean][];

  async function ask(prefix = 'now'): Promise<string | undefined> {
    const limits = { maxTokens: 8, extent: 'line', sampling: GREEDY, snippets: [] } as const;
    const request = { path: 'a.ts', language: 'typescript', prefix, suffix: '', ...limits };
    return (await relay.complete(request, new AbortController().signal))?.text;
  }

  const note = () => {
    kinds.add(relay.state.kind);
    if (relay.pid) pids.add(relay.pid);
  };
  const serves = (name: string) =>
    until(() => relay.state.kind === 'ready' && relay.state.model.name === name, name);
  const isAlive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  const only = (pid: number | undefined) =>
    until(() => [...pids].filter(isAlive).every((alive) => alive === pid), 'no other process');

  before(() => writeFileSync(script, SCRIPT));
  beforeEach(async () => {
    pids = new Set();
    kinds = new Set();
    refused = [];
    relay = new WorkerRelay({
      script,
      log: () => {},
      onChange: note,
      onRefused: ({ modelDir }, message, kept) => refused.push([modelDir, message, kept]),
      retryMs: 20,
    });
    relay.start(loadRequest('first'));
    await serves('first');
    kinds.clear();
  });
  afterEach(async () => {
    relay.stop();
    await only(undefined);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('serves with the old model until the new one is ready, then ends the old process', async () => {
    const { pid } = relay;
    relay.start(loadRequest('second'));
    const names: (string | undefined)[] = [];
    while (names.at(-1) !== 'second') names.push(await ask());
    assert.equal(names[0], 'first');
    assert.deepEqual(new Set(names), new Set(['first', 'second']));
    assert.deepEqual(kinds, new Set(['ready']));
    assert.notEqual(relay.pid, pid);
    assert.equal(relay.modelDir, 'second');
    await only(relay.pid);
  });

  it('lets a request that is under way end with the old model', async () => {
    const slow = ask('slow');
    relay.start(loadRequest('second'));
    await serves('second');
    assert.equal(pids.size, 2);
    assert.equal(await slow, 'first');
    await only(relay.pid);
  });

  for (const [name, message] of [
    ['broken', 'There is no model.'],
    ['deadly', 'The inference worker ended with code 1.'],
  ]) {
    it(`keeps the old model when the new one is ${name}`, async () => {
      const { pid } = relay;
      relay.start(loadRequest(name));
      await until(() => refused.length > 0, 'refusal');
      assert.deepEqual(refused, [[name, message, true]]);
      assert.deepEqual([relay.pid, relay.modelDir, await ask()], [pid, 'first', 'first']);
      await sleep(100);
      assert.deepEqual(refused.length, 1);
    });
  }

  it('forgets a model that was asked for when another one is', async () => {
    relay.start(loadRequest('second'));
    relay.start(loadRequest('second'));
    relay.start(loadRequest('third'));
    await serves('third');
    relay.start(loadRequest('second'));
    relay.start(loadRequest('third'));
    await sleep(200);
    assert.equal(await ask(), 'third');
    await only(relay.pid);
  });

  it('does not wait for a model that does not serve yet', async () => {
    relay.stop();
    relay.start(loadRequest('broken'));
    await until(() => refused.length > 0, 'refusal');
    assert.deepEqual(refused, [['broken', 'There is no model.', false]]);
    relay.start(loadRequest('second'));
    relay.start(loadRequest('third'));
    await serves('third');
  });

  it('starts another model in answer to a refusal', async () => {
    relay.stop();
    relay = new WorkerRelay({
      script,
      log: () => {},
      onChange: note,
      onRefused: () => relay.start(loadRequest('first')),
    });
    relay.start(loadRequest('broken'));
    await serves('first');
    assert.equal(await ask(), 'first');
  });

  it('tells a new worker what the model in use takes', async () => {
    const weightBytes = () => relay.state.kind === 'ready' && relay.state.model.weightBytes;
    relay.start(loadRequest('first'));
    await until(() => weightBytes() === 1000, 'first');
    relay.start(loadRequest('second'));
    await until(() => weightBytes() === 1000 + 1020, 'second');
  });
});
