import { strict as assert } from 'node:assert';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { CATALOGUE, nameOf } from '../../src/host/models/catalogue';
import type { Load } from '../../src/host/worker/options';
import type { WorkerState } from '../../src/host/worker/state';
import { Models, type ModelSettings, type ModelUi } from '../../src/host/models/models';
import { bytesText, durationText, progressText } from '../../src/host/quantity';
import { selectModel } from '../../src/host/models/selection';
import { readSettings } from '../../src/host/settings';
import { Hub } from '../../src/hub/hub';
import { REPOSITORY_ID } from '../../src/hub/repository';
import { ModelStore } from '../../src/hub/store';
import { tinyConfig } from '../checkpoints';
import { HubServer } from '../hubServer';
import { loadRequest } from '../load';

const BUNDLED = join('/', 'extension', 'models', 'bundled');

describe('selection of a model', () => {
  const select = (value: string, onDisk: string[] = []) =>
    selectModel(value, {
      bundledDir: BUNDLED,
      downloaded: (id) => (onDisk.includes(id) ? join('/', 'store', id) : null),
    });

  it('takes the bundled model and folders', () => {
    assert.deepEqual(select('bundled'), { kind: 'folder', dir: BUNDLED });
    assert.deepEqual(select('/models/mine'), { kind: 'folder', dir: join('/models/mine') });
    assert.deepEqual(select('~/mine'), { kind: 'folder', dir: join(homedir(), 'mine') });
    assert.deepEqual(select('~'), { kind: 'folder', dir: homedir() });
  });

  it('takes a repository and a name of the catalogue, on disk or not', () => {
    const { id } = CATALOGUE[0];
    for (const value of [id, nameOf(id)]) {
      assert.deepEqual(select(value), { kind: 'absent', id });
      assert.deepEqual(select(value, [id]), { kind: 'folder', dir: join('/', 'store', id) });
    }
    assert.deepEqual(select('some.one/other_1.5'), { kind: 'absent', id: 'some.one/other_1.5' });
  });

  for (const value of ['bundle', './mine', 'a/b/c', '../a', 'a/..', 'https://hub/a/b', 'a b/c']) {
    it(`says what is wrong with '${value}'`, () => {
      const selection = select(value);
      assert.ok(selection.kind === 'wrong');
      assert.ok(selection.message.startsWith(`lckv.model: found '${value}', expected 'bundled'`));
      assert.ok(selection.message.includes(nameOf(CATALOGUE[0].id)));
    });
  }
});

describe('catalogue', () => {
  it('has models with an id, a name of their own, a size and a line about them', () => {
    assert.ok(CATALOGUE.length >= 4);
    const names = CATALOGUE.map(({ id }) => nameOf(id));
    assert.equal(new Set(names).size, names.length);
    for (const { id, summary, sizeBytes } of CATALOGUE) {
      assert.match(id, REPOSITORY_ID);
      assert.ok(summary.length > 0 && summary.length <= 100, summary);
      assert.ok(sizeBytes > 1e6);
    }
  });
});

describe('quantities', () => {
  it('are short', () => {
    assert.deepEqual([0, 999, 1000, 12_345, 2.16e9, 999_600, 5e15].map(bytesText), [
      '0 B',
      '999 B',
      '1.00 KB',
      '12.3 KB',
      '2.16 GB',
      '1.00 MB',
      '5.00e+3 TB',
    ]);
    assert.deepEqual([0.2, 90, 91, 3000, 9000].map(durationText), [
      '1 s',
      '90 s',
      '2 min',
      '50 min',
      '3 h',
    ]);
  });
});

describe('progress', () => {
  it('tells speed and time left once they are known', () => {
    const start = { doneBytes: 1.2e9, totalBytes: 2.16e9 };
    assert.equal(
      progressText({ ...start, bytesPerSecond: null, secondsLeft: null }),
      '1.20 GB of 2.16 GB',
    );
    assert.equal(
      progressText({ ...start, bytesPerSecond: 34e6, secondsLeft: 28.2 }),
      '1.20 GB of 2.16 GB, 34.0 MB/s, 29 s left',
    );
  });
});

describe('models', () => {
  let root: string;
  let store: ModelStore;
  let server: HubServer;
  let value: ModelSettings;
  let started: (Load | null)[];
  let state: WorkerState;
  let said: string[];
  let tryAgain: (() => void) | undefined;
  let answers: Partial<Record<'lookUp' | 'download', boolean>>;
  const kept = new Map<string, unknown>();
  let models: Models;

  const ui: ModelUi = {
    askLookUp: (id) => {
      said.push(`look up ${id}?`);
      return Promise.resolve(answers.lookUp ?? false);
    },
    askDownload: ({ id, licence, totalBytes }) => {
      said.push(`download ${id}, ${licence}, ${totalBytes > 0}?`);
      return Promise.resolve(answers.download ?? false);
    },
    withProgress: (_title, task) => task(new AbortController().signal, () => {}),
    warn: (message, again) => {
      said.push(message);
      tryAgain = again;
    },
  };

  /** A worker that takes every model. */
  const worker = {
    get state() {
      return state;
    },
    start: (load: Load) => {
      if (JSON.stringify(load) === JSON.stringify(started.at(-1))) return;
      started.push(load);
      state = { kind: 'starting', fraction: 0, what: 'process' };
    },
    stop: () => {
      started.push(null);
      state = { kind: 'stopped' };
    },
  };

  function create(): void {
    models = new Models({
      store,
      bundledDir: BUNDLED,
      settings: () => value,
      worker,
      ui,
      memory: {
        get: (key) => kept.get(key),
        update: (key, list) => Promise.resolve(void kept.set(key, list)),
      },
      openHub: () => new Hub({ endpoint: server.endpoint, retryMs: 1 }),
    });
  }

  async function choose(model: string): Promise<void> {
    value.model = model;
    models.apply();
    for (let i = 0; i < 10; i++) await turn();
  }

  const dirs = () => started.map((load) => load && load.modelDir);
  const until = async (condition: () => boolean) => {
    for (const end = performance.now() + 5000; !condition(); await turn())
      assert.ok(performance.now() < end, JSON.stringify(said));
  };

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'lckv-models-'));
    store = new ModelStore(root);
    server = await HubServer.start();
    server.repositories.set('owner/model', {
      licence: 'mit',
      files: {
        'config.json': Buffer.from(JSON.stringify(tinyConfig)),
        'tokenizer.json': readFileSync('test/fixtures/tiny-tokenizer/tokenizer.json'),
        'model.safetensors': Buffer.from('weights'),
      },
    });
    value = readSettings(() => undefined);
    started = [];
    said = [];
    answers = {};
    state = { kind: 'stopped' };
    kept.clear();
    create();
  });
  afterEach(async () => {
    await server.stop();
    rmSync(root, { recursive: true });
  });

  it('follow the settings, and stop when completion is off', async () => {
    await choose('bundled');
    await choose('/mine');
    value.contextTokens = 300;
    await choose('/mine');
    value.precision = 'int4';
    value.cacheMemoryMiB = 100;
    value.powerPreference = 'low-power';
    value.adapter = 'NVIDIA';
    await choose('/mine');
    value.enabled = false;
    await choose('/mine');
    assert.deepEqual(started, [
      loadRequest(BUNDLED),
      loadRequest(join('/mine')),
      loadRequest(join('/mine'), { contextTokens: 300 }),
      {
        modelDir: join('/mine'),
        contextTokens: 300,
        precision: 'int4',
        cacheBytes: 104_857_600,
        tuningFile: null,
        powerPreference: 'low-power',
        adapter: 'NVIDIA',
      },
      null,
    ]);
    assert.deepEqual(said, []);
  });

  it('stay when the setting is wrong, and say so once', async () => {
    await choose('/mine');
    await choose('nonsense');
    await choose('nonsense');
    assert.deepEqual(dirs(), [join('/mine')]);
    assert.equal(said.length, 1);
    assert.match(said[0], /found 'nonsense', expected/);
    assert.equal(models.problem, said[0]);
    await choose('bundled');
    assert.equal(models.problem, undefined);
  });

  it('begin with the bundled one when the setting is wrong', async () => {
    await choose('nonsense');
    assert.deepEqual(dirs(), [BUNDLED]);
    assert.match(said[0], /The bundled model serves instead\.$/);
  });

  it('give way to the bundled one when nothing else serves, and can be tried again', async () => {
    await choose('/broken');
    models.refused(started[0]!, 'There is no model.', false);
    assert.deepEqual(dirs(), [join('/broken'), BUNDLED]);
    assert.match(said[0], /^lckv\.model: There is no model\. The bundled model serves instead\.$/);
    // Another setting changes: what was refused is not tried by itself.
    await choose('/broken');
    assert.equal(started.length, 2);
    tryAgain!();
    assert.deepEqual(dirs(), [join('/broken'), BUNDLED, join('/broken')]);
  });

  it('do not go round in circles when the bundled one fails', async () => {
    await choose('bundled');
    models.refused(started[0]!, 'There is no GPU.', false);
    assert.equal(started.length, 1);
  });

  it('are never looked up or downloaded without consent', async () => {
    await choose('owner/model');
    answers.lookUp = true;
    await choose('bundled');
    await choose('owner/model');
    await until(() => said.length === 3);
    assert.deepEqual(said, [
      'look up owner/model?',
      'look up owner/model?',
      'download owner/model, mit, true?',
    ]);
    assert.deepEqual(
      server.seen.map(({ url }) => url),
      ['/api/models/owner/model/revision/main?blobs=true'],
    );
    assert.match(models.problem!, /owner\/model is not on this machine/);
    assert.deepEqual(dirs(), [BUNDLED]);
  });

  it('are asked about once, not again at the next start', async () => {
    await choose('owner/model');
    await choose('owner/model');
    assert.deepEqual(said, ['look up owner/model?']);
    create();
    await choose('owner/model');
    assert.equal(said.length, 1);
    assert.deepEqual(server.seen, []);
  });

  it('serve once they are downloaded, and then without the network', async () => {
    answers = { lookUp: true, download: true };
    await choose('owner/model');
    await until(() => started.length === 2);
    assert.deepEqual(dirs(), [BUNDLED, store.dirOf('owner/model')]);
    assert.equal(models.problem, undefined);
    await server.stop();
    server = await HubServer.start();
    create();
    state = { kind: 'stopped' };
    await choose('owner/model');
    assert.deepEqual(dirs().at(-1), store.dirOf('owner/model'));
    assert.deepEqual(server.seen, []);
  });

  it('say why a download failed, and can be tried again', async () => {
    answers = { lookUp: true, download: true };
    server.misbehave = ({ url }) => (url.endsWith('.safetensors') ? { flipAt: 0 } : {});
    await choose('owner/model');
    await until(() => said.length === 3);
    assert.match(said[2], /found sha256|found git-sha1/);
    assert.deepEqual(dirs(), [BUNDLED]);
    server.misbehave = () => ({});
    tryAgain!();
    await until(() => started.length === 2);
    assert.equal(started[1]!.modelDir, store.dirOf('owner/model'));
  });

  it('share one download', async () => {
    answers = { download: true };
    const both = [models.download('owner/model'), models.download('owner/model')];
    assert.deepEqual(await Promise.all(both), [true, true]);
    assert.equal(said.length, 1);
  });
});
