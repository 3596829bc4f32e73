// Models in a real VS Code: the setting changes while completion goes on.
import { strict as assert } from 'node:assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { Api } from '../../src/host/main';
import { extension, note, settings } from './editor';
import { tinyFolder } from './tiny';

const START_MS = 120_000;

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

describe('Models in VS Code', () => {
  let root: string;
  let valueBefore: unknown;
  let bundled: string;

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
    const names = ['A', 'B', 'C'];
    const folder = await mkdtemp(join(root, 'switch-'));
    const folders = await Promise.all(names.map((name, i) => tinyFolder(folder, name, {}, i + 7)));
    const memory: number[] = [];
    const pids = new Set<number>();
    let asked = 0;
    for (const turn of [0, 1, 2, 0, 1, 2, 0]) {
      await choose(folders[turn]);
      for (let isServed = false; !isServed; asked++) {
        isServed = serving() === names[turn];
        pids.add(api.workerPid()!);
        await askOnce();
      }
      if (turn > 0) continue;
      await sleep(500);
      memory.push((await api.workerStats())!.processBytes);
    }
    await until(() => [...pids].filter(isAlive).length === 1, 'the end of the old workers');
    const mebibytes = memory.map((bytes) => (bytes / 2 ** 20).toFixed(1)).join(', ');
    note(`${asked} requests, ${pids.size} workers; memory of the worker of A: ${mebibytes} MiB`);
    assert.equal(pids.size, 8, 'one for each turn, and that of the model before');
    // A young process holds garbage, now more and now less; what is lost would be there each time.
    assert.ok(Math.min(...memory.slice(1)) / memory[0] - 1 < 0.05, mebibytes);
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
