/**
 * Faults, each done to the real worker on a real device with a tiny model: the host never blocks,
 * says what is wrong, and completes again once it can.
 */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, truncateSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { driverRemedy } from '../../src/engine/gpu';
import { english } from '../../src/sentence';
import { seededRandom } from '../../src/engine/sample';
import { describeStatus } from '../../src/host/status/status';
import type { WorkerOptions } from '../../src/host/worker/options';
import { tinyConfig, tinyModel } from '../checkpoints';
import { Editor, isAlive, loadOf, until, withEnvironment } from './editor';
import './disk';
import { addRow, publish } from './table';

const isLinux = process.platform === 'linux';
const PRELOAD = `--import=${pathToFileURL('test/faults/device.mjs').href}`;
const LONG = 'function f() {}\n'.repeat(400);
/** Some 9 MiB of weights as F32. */
const LARGER = { hidden_size: 256, head_dim: 64, intermediate_size: 512 };
const MOST_BLOCKED_MS = 2000; // two busy cores; a blocked host would be blocked for as long as a load

describe('faults', function () {
  this.timeout(60_000);
  let dir: string;
  let remove: () => Promise<void>;
  let editor: Editor;
  before(async () => {
    ({ dir, remove } = await tinyModel({ ...tinyConfig, max_position_embeddings: 1 << 20 }));
  });
  after(async () => {
    await remove();
    publish();
  });
  afterEach(() => editor.close());

  /** A window with the model loaded. */
  async function open(options: Partial<WorkerOptions> = {}, contextTokens = 256): Promise<void> {
    editor = new Editor(options);
    editor.relay.start(loadOf(dir, contextTokens));
    await editor.works();
  }

  /** Notes a fault, after which a completion must come unless `back` says that it cannot. */
  async function survived(fault: string, injected: string, happened: string, back = true) {
    const begin = performance.now();
    if (back) await editor.works();
    const backMs = back ? performance.now() - begin : undefined;
    const { blockedMs } = editor;
    assert.ok(blockedMs < MOST_BLOCKED_MS, `${fault}: the host was blocked for ${blockedMs} ms`);
    addRow({ fault, injected, happened, backMs, blockedMs });
  }

  /** What the model in use had to do without. */
  function modelSays(): string {
    const { state } = editor.relay;
    assert.ok(state.kind === 'ready' && state.model.reduced);
    const reduced = english(state.model.reduced);
    assert.ok(describeStatus(state).tooltip.includes(reduced));
    return reduced;
  }

  it('a kill while the model loads', async () => {
    const random = seededRandom(7);
    editor = new Editor();
    for (let i = 0; i < 3; i++) {
      editor.relay.start(loadOf(dir));
      await until(() => editor.kind === 'starting', 'starting');
      await sleep(random() * 300);
      process.kill(editor.relay.pid!, 'SIGKILL');
      await editor.failed();
    }
    assert.match(editor.failure, /ended with SIGKILL/);
    await survived('killed while loading', 'SIGKILL at 3 random moments', 'says so; starts again');
  });

  for (const [phase, prefix, maxTokens] of [
    ['prefill', LONG, 4],
    ['decode', 'a', 900],
  ] as const) {
    it(`kills in ${phase}`, async () => {
      const random = seededRandom(maxTokens);
      await open({}, 2048);
      for (let i = 0; i < 3; i++) {
        await editor.ready();
        const pending = editor.ask(prefix, maxTokens);
        await sleep(20 + random() * 200);
        process.kill(editor.relay.pid!, 'SIGKILL');
        assert.equal(await pending, undefined);
        await editor.failed();
      }
      const happened = 'the request ends without text; says so; starts again';
      await survived(`killed in ${phase}`, 'SIGKILL at 3 random moments', happened);
    });
  }

  it('a worker that hangs', async function () {
    if (process.platform === 'win32') this.skip();
    await open({ pingMs: 150 });
    const pid = editor.relay.pid!;
    process.kill(pid, 'SIGSTOP');
    assert.equal(await editor.ask(), undefined);
    assert.match(editor.failure, /gave no sign of life for 0\.6 s/);
    await until(() => !isAlive(pid), 'the end of the old process');
    const happened = 'the watchdog ends it after 4 unanswered questions; starts again';
    await survived('hung', 'SIGSTOP, then a request', happened);
  });

  it('a pause as long as a sleep, and a clock that jumps', async function () {
    if (process.platform === 'win32') this.skip();
    await open({ pingMs: 400 });
    const { pid } = editor.relay;
    const now = Date.now;
    try {
      const pending = editor.ask('a', 100);
      process.kill(pid!, 'SIGSTOP');
      Date.now = () => now() + 86_400_000;
      await sleep(900);
      Date.now = () => now() - 86_400_000;
      process.kill(pid!, 'SIGCONT');
      assert.ok(await pending);
    } finally {
      Date.now = now;
    }
    assert.equal(editor.relay.pid, pid);
    const injected = 'SIGSTOP for 0.9 s, clock a day on and a day back';
    await survived('sleep, clock jump', injected, 'the request goes on to its end; no restart');
  });

  it('a lost device', async function () {
    if (process.platform === 'win32') this.skip();
    await withEnvironment({ NODE_OPTIONS: PRELOAD }, () => open({}, 2048));
    const pending = editor.ask(LONG);
    await sleep(60);
    process.kill(editor.relay.pid!, 'SIGUSR2');
    assert.equal(await pending, undefined);
    await until(() => /device was lost/.test(editor.failure), 'the reason');
    await survived('GPU device lost', 'device.destroy() in prefill', 'says so; starts again');
  });

  it('no room on the GPU for a model', async () => {
    editor = new Editor();
    const env = { NODE_OPTIONS: PRELOAD, LCKV_SHORT: '.' };
    await withEnvironment(env, () => editor.relay.start(loadOf(dir)));
    await editor.failed();
    assert.match(editor.failure, /has not enough memory for this model.*smaller model/s);
    editor.relay.restart();
    const happened = 'says what to do; no blind retry; loads when told to';
    await survived('out of GPU memory at load', 'the driver refuses every buffer', happened);
  });

  it('room on the GPU for half of the context', async () => {
    editor = new Editor();
    const env = { NODE_OPTIONS: PRELOAD, LCKV_ROOM: `${5 << 20}` };
    await withEnvironment(env, () => editor.relay.start(loadOf(dir, 1 << 14)));
    await editor.works();
    const said = modelSays();
    assert.match(said, /it sees 8192 tokens instead of 16384/);
    await survived('GPU memory for half of the context', 'the driver gives 5 MiB', `"${said}"`);
  });

  it('room on the GPU for a lower precision', async () => {
    const large = await tinyModel({ ...tinyConfig, ...LARGER });
    try {
      for (const [precision, mebibytes] of [
        ['f16', 8],
        ['int8', 4],
      ] as const) {
        editor = new Editor();
        const env = { NODE_OPTIONS: PRELOAD, LCKV_ROOM: `${mebibytes << 20}` };
        await withEnvironment(env, () => editor.relay.start(loadOf(large.dir)));
        await editor.works();
        const said = modelSays();
        assert.ok(said.endsWith(`so its weights are kept as ${precision}.`), said);
        const injected = `the driver gives ${mebibytes} MiB to 9 MiB of weights`;
        await survived(`GPU memory for ${precision} only`, injected, `"${said}"`);
        if (precision === 'f16') editor.close();
      }
    } finally {
      await large.remove();
    }
  });

  it('no room on the GPU for earlier prompts', async () => {
    const env = { NODE_OPTIONS: PRELOAD, LCKV_SHORT: '^snapshot' };
    await withEnvironment(env, () => open());
    const { pid } = editor.relay;
    const counts = [];
    for (const text of ['let ', 'if (', 'let ', 'if ('])
      counts.push(await editor.ask(text.repeat(50)));
    assert.ok(counts.every(Boolean), counts.join(' '));
    assert.equal(editor.relay.pid, pid);
    const happened = 'their memory budget shrinks; completions go on';
    await survived('out of GPU memory in use', 'the driver refuses snapshots', happened);
  });

  it('no driver', async function () {
    if (!isLinux) this.skip();
    editor = new Editor();
    const nowhere = { VK_DRIVER_FILES: '/nowhere', VK_ICD_FILENAMES: '/nowhere' };
    await withEnvironment(nowhere, () => editor.relay.start(loadOf(dir)));
    await editor.failed();
    assert.match(editor.failure, /No WebGPU adapter was found\. Install a Vulkan driver/);
    const { state } = editor.relay;
    assert.ok(state.kind === 'failed' && state.retryMs === null);
    editor.relay.restart();
    const happened = 'says what to install; tries again when told to';
    await survived('driver missing', 'VK_DRIVER_FILES=/nowhere', happened);
    for (const platform of ['linux', 'win32', 'darwin']) {
      const happened = `"${english(driverRemedy(platform))}"`;
      addRow({ fault: 'driver missing', injected: `its words on ${platform}`, happened });
    }
  });

  it('only a software adapter', async () => {
    await open();
    const { state } = editor.relay;
    assert.ok(state.kind === 'ready');
    if (!state.device.software) return;
    await editor.ask('a', 64);
    const { tooltip } = describeStatus(state, editor.relay.timings);
    const sentence = /There is no GPU driver.*slowly: \d+ tokens a second\./.exec(tooltip);
    assert.ok(sentence, tooltip);
    await survived('adapter is software', state.device.description, `says "${sentence[0]}"`);
  });

  it('a model file that is cut, changed and deleted', async () => {
    await open();
    const layers = { num_hidden_layers: 6, layer_types: '0_2_2_3_4_5' };
    const other = await tinyModel({ ...tinyConfig, ...layers });
    const copy = `${dir}-copy`;
    await cp(dir, copy, { recursive: true });
    const weights = join(copy, 'model.safetensors');
    truncateSync(weights, readFileSync(weights).length - 1000);
    editor.relay.start(loadOf(copy));
    await until(() => editor.refused.length > 0, 'a refusal');
    assert.match(editor.refused[0], /model\.safetensors: .*damaged/);
    await survived('model file cut', 'truncate', 'refused by file and field; the old one serves');
    await cp(dir, copy, { recursive: true, force: true });
    editor.relay.start(loadOf(copy));
    await until(() => editor.relay.modelDir === copy, 'the copy');
    await cp(other.dir, copy, { recursive: true, force: true });
    await survived('model changed in use', 'other files in its place', 'goes on with the old one');
    process.kill(editor.relay.pid!, 'SIGKILL');
    await editor.failed();
    await editor.ready();
    const { state } = editor.relay;
    assert.ok(state.kind === 'ready' && state.model.layers === 6);
    await survived('model changed at a restart', 'SIGKILL', 'the new one serves');
    rmSync(copy, { recursive: true });
    await survived('model deleted in use', 'rm -r', 'goes on: the weights are on the GPU');
    process.kill(editor.relay.pid!, 'SIGKILL');
    await until(() => editor.refused.length > 1, 'a second refusal');
    assert.match(editor.refused[1], /config\.json: cannot be read/);
    editor.relay.start(loadOf(dir));
    await survived(
      'model gone at a restart',
      'rm -r, SIGKILL',
      'refused with the reason; another model can take over',
    );
    await other.remove();
  });

  it('settings that are flipped rapidly', async () => {
    await open();
    const pids = new Set<number>();
    for (let i = 0; i < 60; i++) {
      if (i % 7 === 3) editor.relay.stop();
      editor.relay.start(loadOf(dir, 128 + (i % 5)));
      if (editor.relay.pid) pids.add(editor.relay.pid);
      await sleep(i % 10);
    }
    const last = 128 + (59 % 5);
    const serves = () => {
      const { state } = editor.relay;
      return state.kind === 'ready' && state.model.contextTokens === last;
    };
    await until(serves, 'the last setting');
    await sleep(200);
    const alive = [...pids].filter(isAlive);
    assert.deepEqual(
      alive.filter((pid) => pid !== editor.relay.pid),
      [],
    );
    await survived(
      'settings flipped',
      '60 changes in 0.3 s',
      'the last one wins; no process is left',
    );
  });

  it('an extension host that dies', async () => {
    await open();
    const script = `
      const child = require('node:child_process').fork('dist/worker.mjs', [],
        { serialization: 'advanced' });
      child.send(${JSON.stringify({ kind: 'load', ...loadOf(dir) })});
      child.on('message', ({ kind }) => kind === 'ready' && console.log(child.pid));`;
    const host = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(host.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    host.kill('SIGKILL');
    await until(() => !isAlive(pid), 'the end of the worker', 5000);
    editor.close();
    await open(); // as the next host does
    const happened = 'its worker ends by itself; the next host has its own';
    await survived('extension host restarted', 'SIGKILL', happened);
  });

  it('two windows at once', async () => {
    await open();
    const other = new Editor();
    try {
      other.relay.start(loadOf(dir));
      await other.ready();
      const [first, second] = await Promise.all([editor.ask('a', 50), other.ask('a', 50)]);
      assert.ok(first && first === second);
      process.kill(other.relay.pid!, 'SIGKILL');
      assert.ok(await editor.ask());
      await until(() => other.failure !== '', 'the death');
      await other.works();
    } finally {
      other.close();
    }
    await survived('two windows', 'both complete; one is killed', 'neither hears of the other');
  });

  it('garbage in the protocol', async () => {
    await open();
    const { pid } = editor.relay;
    for (const garbage of [null, 7, 'load', [], { kind: 'complete' }, { kind: 'text', id: {} }]) {
      // What the client would send, were it of another version.
      (editor.relay as unknown as { current: { send(message: unknown): void } }).current.send(
        garbage ?? 'null',
      );
    }
    await until(() => editor.relay.pid !== pid, 'a new worker');
    assert.ok(editor.log.some((line) => line.includes('message: expected a JSON object')));
    const happened = 'named in the log; a worker of another version is started afresh';
    await survived('protocol garbage', '6 wrong messages to the worker', happened);
  });
});
