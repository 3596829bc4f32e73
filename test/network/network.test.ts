// Nothing is sent anywhere: worker and command line complete code with the network trapped.
import { strict as assert } from 'node:assert';
import { execFile, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Editor, loadOf, withEnvironment } from '../faults/editor';
import { networkSockets, trapNetwork, type Attempt } from './trap';

const BUNDLED = 'models/lckv-code-55m';
const isLinux = process.platform === 'linux';

describe('the network', function () {
  this.timeout(120_000);
  let folder: string;
  let file: string;
  let env: Record<string, string>;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lckv-network-'));
    file = join(folder, 'attempts.jsonl');
    writeFileSync(file, '');
    const preload = pathToFileURL('dist/test/network/preload.mjs').href;
    env = { NODE_OPTIONS: `--import=${preload}`, LCKV_ATTEMPTS: file };
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** What the processes tried; each of them says first that it is trapped. */
  function attempts(processes = 1): string[] {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const found = lines.map((line) => (JSON.parse(line) as Attempt).what);
    assert.equal(found.filter((what) => what === 'trapped').length, processes);
    return found.filter((what) => what !== 'trapped');
  }

  const node = (args: string[]) =>
    promisify(execFile)(process.execPath, args, { env: { ...process.env, ...env } });

  it('is not touched by worker and host from start to end', async () => {
    const own: Attempt[] = [];
    const release = trapNetwork((attempt) => own.push(attempt));
    const editor = new Editor();
    const seen = new Set<string>();
    const look = () => {
      const { pid } = editor.relay;
      if (isLinux && pid) networkSockets(pid).forEach((socket) => seen.add(socket));
    };
    const looking = setInterval(look, 20);
    try {
      await withEnvironment(env, () => editor.relay.start(loadOf(BUNDLED, 64)));
      await editor.works();
      look();
    } finally {
      clearInterval(looking);
      release();
      editor.close();
    }
    assert.deepEqual([...seen], []);
    assert.deepEqual(own, []);
    assert.deepEqual(attempts(), []);
  });

  it('is not touched by the command line', async () => {
    const code = join(folder, 'sum.ts');
    writeFileSync(code, 'export function add(first: number, second: number) {\n  return \n}\n');
    const args = ['complete', `${code}:2:10`, '--max-tokens', '2', '--context', '64'];
    const { stdout } = await node(['dist/lckv.mjs', ...args, '--json']);
    assert.equal((JSON.parse(stdout) as { tokens: number }).tokens, 2);
    assert.deepEqual(attempts(), []);
  });

  it('would be seen: every way is trapped', async () => {
    const tries = [
      'fetch("http://127.0.0.1:9/")',
      'require("node:http").get("http://127.0.0.1:9/")',
      'require("node:https").get("https://127.0.0.1:9/")',
      'require("node:tls").connect(9, "127.0.0.1")',
      'require("node:net").connect(9, "127.0.0.1")',
      'require("node:net").createServer().listen(0)',
      'require("node:dgram").createSocket("udp4").send("a", 9, "127.0.0.1")',
      'require("node:dns").lookup("localhost", () => {})',
      'require("node:dns").promises.lookup("localhost")',
    ];
    for (const attempt of tries) {
      writeFileSync(file, '');
      const script = `try { Promise.resolve(${attempt}).catch(() => {}) } catch {}`;
      await node(['-e', script]).catch(() => {});
      assert.ok(attempts().length > 0, attempt);
    }
  });

  it('would be seen: sockets of a process, whoever opened them', async function () {
    if (!isLinux) this.skip();
    assert.deepEqual(networkSockets(process.pid), []);
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    assert.match(networkSockets(process.pid).join(), /^tcp /);
    server.close();
    const socket = dgram.createSocket('udp6').bind(0);
    await once(socket, 'listening');
    assert.match(networkSockets(process.pid).join(), /^udp6 /);
    socket.close();
    const child = spawn('sleep', ['5']);
    assert.deepEqual(networkSockets(child.pid!), []);
    child.kill();
  });

  it('is free again once the trap is away, and pipes are no network', async () => {
    const own: Attempt[] = [];
    const release = trapNetwork((attempt) => own.push(attempt));
    const path = process.platform === 'win32' ? '\\\\.\\pipe\\lckv-trap' : join(folder, 'pipe');
    net.connect(path).on('error', () => {});
    assert.deepEqual(own, []);
    assert.throws(() => net.connect(9, '127.0.0.1'), /Socket\.connect was called/);
    release();
    const server = http.createServer((_, response) => response.end('yes')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'yes');
    server.close();
  });
});
