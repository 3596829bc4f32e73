/** A disk that fills up while a model is downloaded: a small file system of its own. */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hub } from '../../src/hub/hub';
import { installModel } from '../../src/hub/install';
import { ModelStore } from '../../src/hub/store';
import { randomTensors, safetensors, tinyConfig } from '../checkpoints';
import { HubServer } from '../hubServer';
import { addRow } from './table';

const ID = 'owner/model';
const config = { ...tinyConfig, hidden_size: 256, head_dim: 64, intermediate_size: 512 };

describe('a full disk', function () {
  this.timeout(60_000);
  let root: string;
  before(function () {
    root = mkdtempSync(join(tmpdir(), 'lckv-disk-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', root], { stdio: 'ignore' });
    } catch {
      this.skip(); // only root may mount
    }
  });
  after(() => {
    try {
      execFileSync('umount', [root], { stdio: 'ignore' });
    } catch {
      // It was not mounted.
    }
    rmSync(root, { recursive: true, force: true });
  });

  it('ends a download with the reason, and the next one goes on from there', async () => {
    const server = await HubServer.start();
    try {
      const hub = new Hub({ endpoint: server.endpoint, retryMs: 5, idleMs: 5000 });
      const weights = safetensors(randomTensors(config));
      server.repositories.set(ID, {
        files: {
          'config.json': Buffer.from(JSON.stringify(config)),
          'tokenizer.json': readFileSync('test/fixtures/tiny-tokenizer/tokenizer.json'),
          'model.safetensors': weights,
        },
      });
      server.misbehave = ({ url }) => (url.endsWith('.safetensors') ? { slowMs: 1 } : {});
      const store = new ModelStore(root);
      const filler = join(root, 'filler');
      const { signal } = new AbortController();
      const repository = await hub.lookUp(ID, signal);
      const others = repository.totalBytes - weights.length;
      let isFull = false;
      const filled = installModel(hub, store, repository, signal, ({ doneBytes }) => {
        if (isFull || doneBytes <= others) return;
        isFull = true;
        const { bavail, bsize } = statfsSync(root);
        writeFileSync(filler, Buffer.alloc(bavail * bsize));
      });
      const error = (await filled.then(
        () => assert.fail('it fitted'),
        (reason: unknown) => reason,
      )) as Error;
      assert.match(error.message, /ENOSPC|no space/i);
      assert.equal(store.has(ID), false);
      rmSync(filler);
      await installModel(hub, store, repository, signal, () => {});
      assert.ok(store.has(ID));
      addRow({
        fault: 'disk full',
        injected: 'a file system of 160 MiB fills up in a download',
        happened: 'says so; what has arrived is kept, the next try goes on',
      });
    } finally {
      await server.stop();
    }
  });
});
