// Downloads through a proxy, as VS Code is told of it. The hub has a name that no other way leads to.
import { strict as assert } from 'node:assert';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { Hub } from '../../src/hub/hub';
import { installModel } from '../../src/hub/install';
import { ModelStore } from '../../src/hub/store';
import { randomTensors, safetensors, tinyConfig } from '../checkpoints';
import { HubServer } from '../hubServer';
import { ProxyServer } from '../proxyServer';
import { extension } from './editor';

const ID = 'owner/model';
const never = new AbortController().signal;
const fixture = join('test', 'fixtures', 'tiny-tokenizer', 'tokenizer.json');

/** Sets an HTTP setting of VS Code for the user. */
const set = (name: string, value: unknown) =>
  vscode.workspace.getConfiguration('http').update(name, value, vscode.ConfigurationTarget.Global);

/** A small model for a hub to serve. */
const served = () => ({
  files: {
    'config.json': Buffer.from(JSON.stringify(tinyConfig)),
    'tokenizer.json': readFileSync(join(extension.extensionPath, fixture)),
    'model.safetensors': safetensors(randomTensors(tinyConfig)),
  },
});

describe('LCKV downloads through a proxy', () => {
  let server: HubServer;
  let proxy: ProxyServer;
  let root: string;
  let hub: Hub;

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'lckv-network-'));
    server = await HubServer.start();
    proxy = await ProxyServer.start(Number(new URL(server.endpoint).port));
    hub = new Hub({ endpoint: 'http://hub.test', token: 'secret', retryMs: 1 });
    server.repositories.set(ID, served());
  });

  afterEach(async () => {
    await set('proxy', undefined);
    await set('noProxy', undefined);
    await set('systemCertificates', undefined);
    await proxy.stop();
    await server.stop();
    rmSync(root, { recursive: true });
  });

  /** The model arrives, and only the hub itself was given the token. */
  async function assertInstalls(from: Hub, { seen }: HubServer): Promise<void> {
    const store = new ModelStore(root);
    await installModel(from, store, await from.lookUp(ID, never), never, () => {});
    assert.ok(store.has(ID));
    for (const { url, authorization } of seen)
      assert.equal(authorization, url.startsWith('/bytes/') ? undefined : 'Bearer secret', url);
  }

  it('that a setting names, and give the token to the hub alone', async () => {
    await set('proxy', proxy.address);
    await assertInstalls(hub, server);
    assert.ok(proxy.asked.includes('hub.test:80'), proxy.asked.join(' '));
  });

  it('from a hub that speaks https, by way of a tunnel', async function () {
    const folder = process.env.LCKV_TEST_TLS;
    if (!folder || process.versions.electron) this.skip(); // no certificate that it would believe
    const [key, cert] = ['hub.key', 'hub.crt'].map((name) => readFileSync(join(folder, name)));
    const secure = await HubServer.start({ key, cert });
    const tunnel = await ProxyServer.start(Number(new URL(secure.endpoint).port));
    try {
      secure.repositories.set(ID, served());
      await set('proxy', tunnel.address);
      const distant = new Hub({ endpoint: 'https://hub.test', token: 'secret', retryMs: 1 });
      await assert.rejects(distant.lookUp(ID, never), /found a certificate that is not trusted/);
      assert.equal(secure.seen.length, 0);
      await set('systemCertificates', false); // then NODE_EXTRA_CA_CERTS counts
      await assertInstalls(distant, secure);
      assert.ok(tunnel.asked.includes('hub.test:443'), tunnel.asked.join(' '));
    } finally {
      await tunnel.stop();
      await secure.stop();
    }
  });

  it('but not for a host that a setting leaves out', async () => {
    await set('proxy', proxy.address);
    await set('noProxy', ['hub.test']);
    await assert.rejects(hub.lookUp(ID, never), /hub\.test.*the connection was lost/);
    assert.deepEqual(proxy.asked, []);
    assert.deepEqual(server.seen, []);
  });

  it('that the environment names, where no setting does, and not for hosts of NO_PROXY', async () => {
    const port = Number(new URL(process.env.HTTP_PROXY!).port);
    const named = await ProxyServer.start(Number(new URL(server.endpoint).port), port);
    try {
      assert.equal((await hub.lookUp(ID, never)).id, ID);
      assert.deepEqual(named.asked, ['hub.test:80']);
      const direct = new Hub({ endpoint: 'http://direct.test', retryMs: 1 });
      await assert.rejects(direct.lookUp(ID, never), /direct\.test.*the connection was lost/);
      assert.deepEqual(named.asked, ['hub.test:80']);
    } finally {
      await named.stop();
    }
  });
});
