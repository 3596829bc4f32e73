import assert from 'node:assert/strict';
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { GREEDY, type FromWorker, type ToWorker } from '../../src/protocol';
import { english } from '../../src/sentence';
import { tinyConfig, tinyModel } from '../checkpoints';
import { loadRequest } from '../load';

/** The built worker as the host starts it, with everything it said. */
class Worker {
  readonly child: ChildProcess = fork('dist/worker.mjs', { serialization: 'advanced' });
  readonly said: FromWorker[] = [];
  private heard = () => {};

  constructor() {
    this.child.on('message', (message) => {
      this.said.push(message as FromWorker);
      this.heard();
    });
  }

  tell(message: unknown): void {
    this.child.send(message as object);
  }

  /** The first message that passes, also of those that came before. */
  async hear(passes: (message: FromWorker) => boolean): Promise<FromWorker> {
    for (;;) {
      const found = this.said.find(passes);
      if (found) return found;
      await new Promise<void>((resolve) => (this.heard = resolve));
    }
  }

  /** Every message about one request. */
  about(id: number): FromWorker[] {
    return this.said.filter((message) => 'id' in message && message.id === id);
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const exited = once(this.child, 'exit');
    if (this.child.connected) this.child.disconnect();
    await exited;
  }
}

const isEnd = (id: number) => (message: FromWorker) =>
  (message.kind === 'done' || message.kind === 'failed') && message.id === id;

const ask = (id: number, prefix = 'let a = ', maxTokens = 8): ToWorker => ({
  kind: 'complete',
  id,
  request: {
    ...{ path: 'a.ts', language: 'typescript', prefix, suffix: ';\n', snippets: [] },
    ...{ maxTokens, extent: 'block', sampling: GREEDY },
  },
});

describe('worker process', () => {
  let dir: string;
  let remove: () => Promise<void>;
  let worker: Worker;
  before(async () => {
    // Room for a completion that is still running when the next message comes.
    ({ dir, remove } = await tinyModel({ ...tinyConfig, max_position_embeddings: 2048 }));
  });
  after(() => remove());
  beforeEach(() => {
    worker = new Worker();
  });
  afterEach(() => worker.end());

  const load = (modelDir = dir): ToWorker => ({
    ...{ kind: 'load', inUseBytes: 0, ...loadRequest(modelDir, { contextTokens: 1024 }) },
  });
  const ready = async () => {
    worker.tell(load());
    return worker.hear(({ kind }) => kind === 'ready');
  };

  it('loads a model and reports progress', async () => {
    const message = await ready();
    assert.ok(message.kind === 'ready');
    assert.equal(message.model.name, 'tiny');
    assert.ok(message.device.description.length > 0);
    const loading = worker.said.filter(({ kind }) => kind === 'loading');
    assert.ok(loading.length >= 3);
    assert.ok(loading.every((m) => m.kind === 'loading' && m.fraction >= 0 && m.fraction <= 1));
  });

  it('ends every request exactly once', async () => {
    await ready();
    worker.tell(ask(1));
    await worker.hear(isEnd(1));
    worker.tell(ask(2, 'older', 300));
    await worker.hear((message) => message.kind === 'text' && message.id === 2);
    worker.tell(ask(3));
    worker.tell(ask(4, 'newest', 300));
    await worker.hear((message) => message.kind === 'text' && message.id === 4);
    worker.tell({ kind: 'cancel', id: 4 });
    worker.tell({ kind: 'cancel', id: 99 });
    await worker.hear(isEnd(4));
    await worker.hear(isEnd(3));
    const reasons = [1, 2, 3, 4].map((id) => {
      const about = worker.about(id);
      assert.equal(about.filter(({ kind }) => kind === 'done' || kind === 'failed').length, 1);
      const last = about.at(-1)!;
      return last.kind === 'done' ? last.reason : last.kind;
    });
    assert.deepEqual(reasons, ['length', 'cancelled', 'cancelled', 'cancelled']);
  });

  it('survives garbage', async () => {
    const garbage = [
      ...[null, 7, 'load', [], {}, { kind: 'fly' }, { kind: 'load' }, { kind: 'cancel' }],
      ...[{ kind: 'complete', id: -1 }, { kind: 'load', modelDir: 5 }, new Map([['kind', 1]])],
    ];
    for (const [count, message] of garbage.entries()) {
      worker.tell(message ?? 'null');
      await worker.hear(() => worker.said.length === count + 1);
    }
    assert.ok(worker.said.every(({ kind }) => kind === 'failed'));
    const sixth = worker.said[5];
    assert.ok(sixth.kind === 'failed' && sixth.id === null);
    assert.equal(
      english(sixth.sentence),
      'message: kind: found "fly", expected load, complete, prepare, choose, cancel, stats or ping.',
    );
    worker.tell({ kind: 'complete', id: 5, request: { prefix: 7 } });
    await worker.hear(isEnd(5));
    await ready();
  });

  it('refuses a request without a model', async () => {
    worker.tell(ask(1));
    const failed = await worker.hear(isEnd(1));
    assert.ok(failed.kind === 'failed');
    assert.match(english(failed.sentence), /No model is loaded/);
  });

  it('says why a model cannot be loaded, and loads the next', async () => {
    worker.tell(load('/nowhere'));
    const failed = await worker.hear(({ kind }) => kind === 'failed');
    assert.ok(failed.kind === 'failed' && failed.id === null);
    assert.match(english(failed.sentence), /\/nowhere\/config\.json: cannot be read/);
    await ready();
  });

  it('loads once when asked several times in a row', async () => {
    for (let i = 0; i < 3; i++) worker.tell(load());
    await worker.hear(({ kind }) => kind === 'ready');
    worker.tell(ask(1));
    await worker.hear(isEnd(1));
    assert.equal(worker.said.filter(({ kind }) => kind === 'ready').length, 1);
    assert.equal(worker.said.filter(({ kind }) => kind === 'failed').length, 0);
  });

  it('cancels what runs when another model comes', async () => {
    await ready();
    worker.tell(ask(1, 'long', 300));
    await worker.hear((message) => message.kind === 'text' && message.id === 1);
    worker.tell(load());
    const done = await worker.hear(isEnd(1));
    assert.ok(done.kind === 'done' && done.reason === 'cancelled');
    await worker.hear(() => worker.said.filter(({ kind }) => kind === 'ready').length === 2);
    worker.tell(ask(2));
    assert.equal((await worker.hear(isEnd(2))).kind, 'done');
  });

  it('ends with its parent, also while it works', async () => {
    await ready();
    worker.tell(ask(1, 'long', 300));
    await worker.hear(({ kind }) => kind === 'text');
    const exited = once(worker.child, 'exit');
    worker.child.disconnect();
    assert.deepEqual(await exited, [0, null]);
  });

  it('explains itself when started by hand', async () => {
    const child = spawn(process.execPath, ['dist/worker.mjs']);
    let text = '';
    child.stderr.on('data', (data: Buffer) => (text += data.toString()));
    assert.deepEqual(await once(child, 'close'), [2, null]);
    assert.match(text, /use dist\/lckv\.mjs/);
  });
});
