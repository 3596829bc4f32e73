// Models in a real VS Code: the setting changes while completion goes on.
import { strict as assert } from 'node:assert';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import * as vscode from 'vscode';
import type { Api } from '../../src/host/main';
import { extension, note, settings } from './editor';
import { tinyFolder } from './tiny';

const START_MS = 120_000;
/** Rounds of garbage collection before a worker's memory is read: what the first frees holds more. */
const ROUNDS = 3;
/** Requests before that, so that each worker has compiled every kernel that it wants. */
const WARM_UP = 12;

let api: Api;

/** The name of the model that serves, or what is the matter. */
function serving(): string {
  const status = api.status();
  if (status.kind === 'thinking') return status.ready.model.name;
  return status.kind === 'ready' ? status.model.name : `(${status.kind})`;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + START_MS; !condition(); await sleep(10))
    if (Date.now() > end) throw new Error(`${what} did not come: ${serving()}`);
}

const choose = (model: unknown) =>
  settings().update('model', model, vscode.ConfigurationTarget.Global);

/** Types a character, asks for a suggestion and waits for what comes of that. */
async function askOnce(): Promise<void> {
  const before = api.lastAnswer();
  await vscode.commands.executeCommand('type', { text: 'v' });
  await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
  await until(() => api.lastAnswer() !== before, 'an answer');
  await until(() => api.status().kind === 'ready', 'the last answer');
  const { outcome } = api.lastAnswer()!;
  const reason = outcome.kind === 'nothing' ? outcome.reason.kind : 'suggestion';
  assert.ok(!['lost', 'failed', 'loading', 'off'].includes(reason), reason);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/**
 * Has workers that are started from now on count what they hold (test/soak/count.mjs), and keep
 * little that is free: neither room for young objects nor what was freed. Returns the way back.
 */
function countIn(file: string): () => void {
  const preload = pathToFileURL(join(extension.extensionPath, 'test', 'soak', 'count.mjs'));
  const changes: Record<string, string> = {
    NODE_OPTIONS: `--max-semi-space-size=1 --import=${preload.href}`,
    LCKV_COUNTS: file,
    MALLOC_ARENA_MAX: '1',
    MALLOC_TRIM_THRESHOLD_: '65536',
    MALLOC_MMAP_THRESHOLD_: '16384',
  };
  const before = Object.keys(changes).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, changes);
  return () => {
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  };
}

/** What a worker holds, in bytes; pages are those of earlier prompts on the GPU. */
interface Counts {
  rss: number;
  gpuBytes: number;
  pageBytes: number;
}

/** What the worker holds after its garbage was collected. */
async function counted(file: string): Promise<Counts> {
  let counts = '';
  for (let round = 0; round < ROUNDS; round++) {
    await rm(file, { force: true });
    process.kill(api.workerPid()!, 'SIGUSR2');
    const end = Date.now() + START_MS;
    for (counts = ''; counts === ''; await sleep(20)) {
      counts = await readFile(file, 'utf8').catch(() => '');
      assert.ok(Date.now() < end, 'the worker did not count');
    }
  }
  return JSON.parse(counts) as Counts;
}

describe('Models in VS Code', () => {
  let root: string;
  let valueBefore: unknown;
  let bundled: string;
  let stopCounting = () => {};

  before(async () => {
    api = await extension.activate();
    root = await mkdtemp(join(tmpdir(), 'lckv-vscode-'));
    valueBefore = settings().inspect('model')!.globalValue;
    await until(() => api.status().kind === 'ready', 'the bundled model');
    bundled = serving();
    const content = 'export function sum(values: number[]): number {\n  return ';
    const document = await vscode.workspace.openTextDocument({ language: 'typescript', content });
    const editor = await vscode.window.showTextDocument(document);
    const end = document.positionAt(content.length);
    editor.selection = new vscode.Selection(end, end);
  });

  afterEach(() => stopCounting());
  after(async () => {
    await choose(valueBefore);
    await until(() => serving() === bundled, 'the model from before');
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    await rm(root, { recursive: true });
  });

  it('change by a setting while completion goes on, without a gap and without a process left', async () => {
    const seen = new Set<string>();
    const pids = new Set<number>();
    const names = ['first', 'second', 'third'];
    const folders = await Promise.all(names.map((name, i) => tinyFolder(root, name, {}, i + 1)));
    for (const turn of [0, 1, 2, 0, 1]) {
      await choose(folders[turn]);
      for (let i = 0; serving() !== names[turn]; i++) {
        seen.add(serving());
        pids.add(api.workerPid()!);
        if (i % 20 === 0) await vscode.commands.executeCommand('type', { text: 'v' });
        await sleep(10);
        assert.ok(i * 10 < START_MS, serving());
      }
    }
    assert.deepEqual([...seen], [bundled, 'first', 'second', 'third']);
    assert.equal(api.modelProblem(), undefined);
    await until(() => ![...pids].some(isAlive), 'the end of the old workers');
  });

  it('answer every request while they change, and keep no memory from one time to the next', async () => {
    const counts = join(root, 'counts.json');
    const canCount = process.platform === 'linux'; // where signals and such an allocator are
    if (canCount) stopCounting = countIn(counts);
    const names = ['A', 'B', 'C'];
    const folder = await mkdtemp(join(root, 'switch-'));
    const folders = await Promise.all(names.map((name, i) => tinyFolder(folder, name, {}, i + 7)));
    const held: Counts[] = [];
    const pids = new Set<number>();
    let asked = 0;
    for (const turn of [0, 1, 2, 0, 1, 2, 0]) {
      await choose(folders[turn]);
      for (let isServed = false; !isServed; asked++) {
        isServed = serving() === names[turn];
        pids.add(api.workerPid()!);
        await askOnce();
      }
      if (turn > 0 || !canCount) continue;
      for (let i = 0; i < WARM_UP; i++, asked++) await askOnce();
      held.push(await counted(counts));
    }
    await until(() => [...pids].filter(isAlive).length === 1, 'the end of the old workers');
    const mebibytes = held.map(({ rss }) => (rss / 2 ** 20).toFixed(1)).join(', ');
    note(`${asked} requests, ${pids.size} workers; memory of the worker of A: ${mebibytes} MiB`);
    assert.equal(pids.size, 8, 'one for each turn, and that of the model before');
    const [first, ...later] = held;
    for (const { rss, gpuBytes, pageBytes } of later) {
      assert.ok(Math.abs(rss / first.rss - 1) < 0.05, mebibytes);
      // Which earlier prompts were worth keeping depends on when requests were given up.
      assert.equal(gpuBytes - pageBytes, first.gpuBytes - first.pageBytes);
    }
  });

  it('stay when the next one cannot be loaded, which is said', async () => {
    const pid = api.workerPid();
    await choose(join(root, 'none'));
    await until(() => api.modelProblem() !== undefined, 'a complaint');
    const problem = api.modelProblem()!;
    assert.ok(problem.includes(join(root, 'none', 'config.json')), problem);
    assert.match(problem, /A model folder holds .*A goes on serving\./);
    assert.deepEqual([serving(), api.workerPid()], ['A', pid]);
    await choose('no such name');
    await until(() => api.modelProblem()?.includes('no such name') ?? false, 'a complaint');
    assert.deepEqual([serving(), api.workerPid()], ['A', pid]);
  });
});
