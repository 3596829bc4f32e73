// Models in a real VS Code: the setting changes while completion goes on.
import { strict as assert } from 'node:assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { Api } from '../../src/host/main';
import { extension, settings } from './editor';
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

  it('stay when the next one cannot be loaded, which is said', async () => {
    const pid = api.workerPid();
    await choose(join(root, 'none'));
    await until(() => api.modelProblem() !== undefined, 'a complaint');
    const problem = api.modelProblem()!;
    assert.ok(problem.includes(join(root, 'none', 'config.json')), problem);
    assert.match(problem, /A model folder holds .*second goes on serving\./);
    assert.deepEqual([serving(), api.workerPid()], ['second', pid]);
    await choose('no such name');
    await until(() => api.modelProblem()?.includes('no such name') ?? false, 'a complaint');
    assert.deepEqual([serving(), api.workerPid()], ['second', pid]);
  });
});
