import { strict as assert } from 'node:assert';
import { createCipheriv } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../src/engine/sample';
import { Hub } from '../../src/hub/hub';
import { installModel } from '../../src/hub/install';
import type { Progress } from '../../src/hub/meter';
import { ModelStore } from '../../src/hub/store';
import { partName } from '../../src/hub/transfer';
import { openCheckpoint } from '../../src/model/checkpoint';
import { parseConfig } from '../../src/model/config';
import { modelTensors } from '../../src/model/tensors';
import { randomTensors, safetensors, tinyConfig } from '../checkpoints';
import { HubServer, type Misbehaviour } from '../hubServer';

const ID = 'owner/model';
const WEIGHTS = 'model.safetensors';
const never = new AbortController().signal;

/** The same bytes for the same count, as random as a model's. */
function noise(count: number): Uint8Array {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(count));
}

function filesOf(config: object, weights: Uint8Array): Record<string, Uint8Array> {
  return {
    'README.md': Buffer.from('# A model'),
    'config.json': Buffer.from(JSON.stringify(config)),
    'tokenizer.json': readFileSync('test/fixtures/tiny-tokenizer/tokenizer.json'),
    'generation_config.json': Buffer.from('{}'),
    [WEIGHTS]: weights,
  };
}

/** A checkpoint of about 100 MB. */
function largeFiles(): Record<string, Uint8Array> {
  const config = { ...tinyConfig, vocab_size: 196_000, hidden_size: 128, head_dim: 32 };
  const tensors = modelTensors(parseConfig(config, 'test')).map(({ name, shape }) => {
    const data = noise(shape.reduce((product, length) => product * length, 4));
    return [name, { dtype: 'F32', shape, data }] as const;
  });
  return filesOf(config, safetensors(Object.fromEntries(tensors)));
}

const tinyFiles = (seed = 1) => filesOf(tinyConfig, safetensors(randomTensors(tinyConfig, seed)));

describe('download', () => {
  let server: HubServer;
  let hub: Hub;
  let root: string;
  let store: ModelStore;
  let progress: Progress[];

  beforeEach(async () => {
    server = await HubServer.start();
    hub = new Hub({ endpoint: server.endpoint, token: 'secret', retryMs: 5, idleMs: 2000 });
    root = mkdtempSync(join(tmpdir(), 'lckv-download-'));
    store = new ModelStore(root);
    progress = [];
    server.repositories.set(ID, { files: tinyFiles() });
  });
  afterEach(async () => {
    await server.stop();
    rmSync(root, { recursive: true });
  });

  const install = async (signal = never, id = ID) =>
    installModel(hub, store, await hub.lookUp(id, signal), signal, (now) => progress.push(now));

  /** Misbehaves in the first requests for the weights, once for each. */
  function misbehaveInTurn(...ways: Misbehaviour[]): void {
    server.misbehave = ({ url }) => (url.endsWith(`/${WEIGHTS}`) && ways.shift()) || {};
  }

  async function assertInstalled(dir: string): Promise<void> {
    assert.equal(dir, join(root, 'models', 'owner', 'model'));
    const { files } = server.repositories.get(ID)!;
    for (const name of ['config.json', 'tokenizer.json', 'generation_config.json', WEIGHTS])
      assert.ok(readFileSync(join(dir, name)).equals(files[name]), name);
    assert.equal(readdirSync(dir).length, 5);
    await (await openCheckpoint(dir)).close();
    assert.deepEqual(readdirSync(join(root, 'partial')), []);
  }

  it('makes a model folder of a repository, from the second server and without the token there', async () => {
    await assertInstalled(await install());
    assert.ok(store.has(ID));
    for (const { url, authorization } of server.seen)
      assert.equal(authorization, url.startsWith('/bytes/') ? undefined : 'Bearer secret', url);
    const { doneBytes, totalBytes } = progress.at(-1)!;
    assert.equal(doneBytes, totalBytes);
    const origin = JSON.parse(readFileSync(join(store.dirOf(ID), 'origin.json'), 'utf8')) as object;
    assert.deepEqual(origin, await hub.lookUp(ID, never));
  });

  describe('of 100 MB', () => {
    let files: Record<string, Uint8Array>;
    before(() => (files = largeFiles()));
    beforeEach(async () => {
      server.repositories.set('owner/previous', { files: tinyFiles(2) });
      await install(never, 'owner/previous');
      server.repositories.set(ID, { files });
      server.seen.length = 0;
    });

    const assertPreviousWorks = async () => {
      const checkpoint = await openCheckpoint(store.dirOf('owner/previous'));
      assert.equal((await checkpoint.read('model.norm.weight')).length, 128);
      await checkpoint.close();
    };

    it('resumes after five cuts at random points, and verifies', async () => {
      const size = files[WEIGHTS].length;
      assert.ok(size > 100e6, String(size));
      const random = seededRandom(6);
      let left = size;
      const cuts = Array.from({ length: 5 }, () => {
        const cutAfter = Math.floor(random() * left * 0.5);
        left -= cutAfter;
        return { cutAfter };
      });
      misbehaveInTurn(...cuts);
      await assertInstalled(await install());
      await assertPreviousWorks();
      const asked = server.downloads(WEIGHTS).map(({ from }) => from);
      assert.equal(asked.length, 6);
      // What had arrived was not sent twice, but for what was lost with the connection.
      assert.deepEqual(
        asked,
        asked.toSorted((a, b) => a - b),
      );
      assert.ok(asked.at(-1)! > size / 4, String(asked));
    }).timeout(60_000);

    it('refuses a flipped bit, puts the file aside, and the previous model still works', async () => {
      misbehaveInTurn({ flipAt: 77_777_777 });
      await assert.rejects(
        install(),
        /found sha256 [0-9a-f]{64}, expected [0-9a-f]{64}.*aside as/s,
      );
      assert.equal(store.has(ID), false);
      assert.equal(existsSync(store.dirOf(ID)), false);
      const refused = (await store.list()).filter(({ kind }) => kind === 'refused');
      assert.deepEqual(
        refused.map(({ id, sizeBytes }) => [id, sizeBytes]),
        [[ID, files[WEIGHTS].length]],
      );
      await assertPreviousWorks();
      // The next time, only what was wrong is fetched again.
      await assertInstalled(await install());
      assert.deepEqual(
        server.downloads(WEIGHTS).map(({ from }) => from),
        [0, 0],
      );
      assert.equal(server.downloads('tokenizer.json').length, 1);
    }).timeout(60_000);
  });

  const passing: [string, Misbehaviour[]][] = [
    ['a cut before the first byte', [{ cutAfter: 0 }]],
    ['a body that ends early', [{ endAfter: 9000 }]],
    ['a server that ignores ranges', [{ cutAfter: 9000 }, { ignoreRange: true, cutAfter: 20_000 }]],
    ['429 with and without a date', [{ status: 429 }, { status: 429, retryAfter: '0' }]],
    ['500, 502, 503 and 408', [500, 502, 503, 408].map((status) => ({ status }))],
    ['silence', [{ slowMs: 8000 }]],
  ];
  for (const [what, ways] of passing) {
    it(`gets over ${what}`, async () => {
      misbehaveInTurn(...ways);
      await assertInstalled(await install());
      assert.equal(server.downloads(WEIGHTS).length, ways.length + 1);
    });
  }

  it('waits as long as it is told', async () => {
    misbehaveInTurn({ status: 429, retryAfter: '1' });
    const begin = performance.now();
    await assertInstalled(await install());
    assert.ok(performance.now() - begin >= 990);
  });

  it('gives up on a server that wants a long pause, and says when to come back', async () => {
    misbehaveInTurn({ status: 503, retryAfter: '600' });
    await assert.rejects(install(), /found status 503.*Tried once.*again in 10 minutes/s);
  });

  it('gives up after six tries without a byte, and goes on from there the next time', async () => {
    misbehaveInTurn({ cutAfter: 9000 }, ...Array<Misbehaviour>(6).fill({ status: 500 }));
    await assert.rejects(install(), /found status 500.*Tried 6 times\. What has arrived is kept/s);
    assert.equal((await store.list())[0].kind, 'partial');
    await assertInstalled(await install());
    assert.ok(server.downloads(WEIGHTS).at(-1)!.from > 0);
    assert.equal(server.downloads('config.json').length, 1);
  });

  it('stops when it is cancelled, and goes on from there the next time', async () => {
    misbehaveInTurn({ slowMs: 20 });
    const controller = new AbortController();
    const { signal } = controller;
    const repository = await hub.lookUp(ID, signal);
    const weights = repository.files.at(-1)!;
    assert.equal(weights.name, WEIGHTS);
    const others = repository.totalBytes - weights.sizeBytes;
    const cancelled = installModel(hub, store, repository, signal, ({ doneBytes }) => {
      if (doneBytes > others) controller.abort();
    });
    await assert.rejects(cancelled, { name: 'AbortError' });
    await assertInstalled(await install());
    assert.ok(server.downloads(WEIGHTS).at(-1)!.from > 0);
  });

  it('starts a file over that changed between two tries', async () => {
    misbehaveInTurn({ cutAfter: 9000 }, ...Array<Misbehaviour>(6).fill({ status: 500 }));
    await assert.rejects(install());
    server.repositories.set(ID, { files: tinyFiles(3), version: 2 });
    await assertInstalled(await install());
    assert.equal(server.downloads(WEIGHTS).at(-1)!.from, 0);
  });

  it('refuses more bytes than were announced', async () => {
    misbehaveInTurn({ extraBytes: 1 });
    await assert.rejects(install(), /found more than \d+ bytes.*aside as/s);
    assert.equal(store.has(ID), false);
  });

  it('goes on after a crash', async () => {
    const dir = store.dirOf(ID, 'partial');
    const { files } = await hub.lookUp(ID, never);
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'lock'), '999999999');
    const start = server.repositories.get(ID)!.files[WEIGHTS].subarray(0, 9000);
    await writeFile(join(dir, partName(files.at(-1)!)), start);
    await assertInstalled(await install());
    assert.deepEqual(
      server.downloads(WEIGHTS).map(({ from }) => from),
      [9000],
    );
  });

  it('gives up on a model that would not run, before its weights come', async () => {
    const files = filesOf({ model_type: 'bert' }, noise(1000));
    server.repositories.set(ID, { files });
    await assert.rejects(install(), /config\.json: model_type: found "bert", expected one of/);
    assert.deepEqual(server.downloads(WEIGHTS), []);
  });

  it('checks small files too', async () => {
    server.misbehave = ({ url }) => (url.endsWith('/config.json') ? { flipAt: 3 } : {});
    await assert.rejects(install(), /config\.json: found git-sha1 /);
  });

  it('does not start when the disk has not the space', async () => {
    const repository = await hub.lookUp(ID, never);
    const large = { ...repository, totalBytes: 1e15 };
    const start = installModel(hub, store, large, never, () => {});
    await assert.rejects(start, /found \d+ MB of free space, expected 10000000\d\d MB/);
    assert.deepEqual(server.downloads(WEIGHTS), []);
  });

  it('does not touch a folder that another process downloads into', async () => {
    const dir = store.dirOf(ID, 'partial');
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'lock'), String(process.ppid));
    await assert.rejects(install(), new RegExp(`under way \\(process ${process.ppid}\\)`));
  });

  it('lists and removes what takes up space', async () => {
    await install();
    const [model] = await store.list();
    assert.deepEqual([model.id, model.kind], [ID, 'model']);
    assert.ok(model.sizeBytes > progress.at(-1)!.totalBytes);
    await store.remove(model);
    assert.deepEqual(await store.list(), []);
    assert.equal(store.has(ID), false);
    assert.deepEqual(readdirSync(join(root, 'models')), []);
  });
});
