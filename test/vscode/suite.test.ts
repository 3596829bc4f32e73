// The extension in a real VS Code, with the real worker and the bundled model. On a software GPU
// each completion takes seconds, so the limits are wide.
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { Api } from '../../src/host/main';
import type { Timings } from '../../src/protocol';

const START_MS = 120_000;
const ANSWER_MS = 90_000;

const extension = vscode.extensions.getExtension<Api>('lckv-code.lckv-code')!;
const run = (command: string, argument?: unknown) =>
  vscode.commands.executeCommand(command, argument);
const settings = () => vscode.workspace.getConfiguration('lckv');
let api: Api;

async function until(condition: () => boolean, what: string, limitMs: number): Promise<void> {
  for (const end = Date.now() + limitMs; !condition(); await sleep(50))
    if (Date.now() > end)
      throw new Error(`${what} did not come: ${JSON.stringify(api.status()).slice(0, 500)}`);
}

const reach = (kind: string) => until(() => api.status().kind === kind, kind, START_MS);

/** Opens text with the cursor at its end. */
async function open(source: { language: string; content: string } | vscode.Uri) {
  const document =
    source instanceof vscode.Uri
      ? await vscode.workspace.openTextDocument(source)
      : await vscode.workspace.openTextDocument(source);
  const editor = await vscode.window.showTextDocument(document);
  const end = document.positionAt(document.getText().length);
  editor.selection = new vscode.Selection(end, end);
  return document;
}

/** Asks for ghost text and waits for the worker's answer. */
async function trigger(): Promise<void> {
  await run('hideSuggestWidget');
  await run('editor.action.inlineSuggest.trigger');
  await sleep(300);
  await until(() => api.status().kind !== 'thinking', 'an answer', ANSWER_MS);
  await sleep(200);
}

/** Accepts the suggestion at the cursor; returns the inserted text, or '' if there was none. */
async function accept(document: vscode.TextDocument, tries = 6): Promise<string> {
  const before = document.getText();
  for (let i = 0; i < tries && document.getText() === before; i++) {
    await trigger();
    await run('editor.action.inlineSuggest.commit');
    await sleep(200);
  }
  return document.getText().slice(before.length);
}

const PYTHON = 'def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return ';
const python = (comment: string) =>
  open({ language: 'python', content: `# ${comment}\n${PYTHON}` });

describe('LCKV in VS Code', () => {
  before(async function () {
    this.timeout(START_MS + 30_000);
    api = await extension.activate();
    await reach('ready');
  });

  afterEach(async () => {
    await run('workbench.action.closeAllEditors');
  });

  it('activates and loads the model in a process of its own', () => {
    const status = api.status();
    assert.ok(status.kind === 'ready' && status.model.parameters > 0);
    assert.ok(api.workerPid() && api.workerPid() !== process.pid);
  });

  it('registers every command of its manifest', async () => {
    const known = await vscode.commands.getCommands(true);
    const manifest = extension.packageJSON as { contributes: { commands: { command: string }[] } };
    for (const { command } of manifest.contributes.commands) assert.ok(known.includes(command));
  });

  it('suggests code in a TypeScript file', async () => {
    const folder = vscode.workspace.workspaceFolders![0].uri.fsPath;
    const document = await open(vscode.Uri.file(join(folder, 'shapes.ts')));
    await run('type', { text: '  return ' });
    const before = document.getText();
    const text = await accept(document);
    assert.notEqual(text.trim(), '');
    assert.ok(document.getText().startsWith(before));
  });

  it('keeps the cache while a line is typed', async () => {
    const folder = vscode.workspace.workspaceFolders![0].uri.fsPath;
    await open(vscode.Uri.file(join(folder, 'shapes.ts')));
    await run('type', { text: '  const ' });
    await trigger();
    const seen = new Set<Timings>();
    for (const text of 'diameter = 2 * circle') {
      const last = api.lastTimings();
      await run('type', { text });
      await trigger();
      // None for a character that goes on with the last suggestion.
      const timings = api.lastTimings();
      if (timings && timings !== last) seen.add(timings);
    }
    const shares = [...seen].map(({ reusedTokens, promptTokens }) => reusedTokens / promptTokens);
    assert.ok(shares.length >= 3, `only ${shares.length} completions`);
    assert.ok(Math.min(...shares) >= 0.95, shares.map((share) => share.toFixed(3)).join(' '));
  });

  it('comes back after its worker was killed', async () => {
    const pid = api.workerPid()!;
    process.kill(pid, 'SIGKILL');
    await reach('failed');
    await reach('ready');
    assert.notEqual(api.workerPid(), pid);
    assert.notEqual(await accept(await python('after a kill')), '');
  });

  it('restarts its worker by command', async () => {
    const pid = api.workerPid();
    await run('lckv.restartWorker');
    assert.notEqual(api.workerPid(), pid);
    await reach('ready');
  });

  it('is silent and without a process when turned off, and returns when turned on', async () => {
    await run('lckv.disable');
    await reach('off');
    assert.equal(api.workerPid(), undefined);
    const document = await python('turned off');
    assert.equal(await accept(document, 2), '');
    await run('lckv.toggle');
    await reach('ready');
    assert.equal(settings().get('enabled'), true);
    // VS Code asks no provider twice about a place where there was nothing.
    await run('type', { text: 'a ' });
    assert.notEqual(await accept(document), '');
  });

  it('obeys the limit on tokens', async () => {
    await settings().update('maxTokens', 2, vscode.ConfigurationTarget.Global);
    await accept(await python('two tokens'), 1);
    await settings().update('maxTokens', undefined, vscode.ConfigurationTarget.Global);
    assert.ok(api.lastTimings()!.generatedTokens <= 2);
  });

  it('says what is wrong with a model that is not there, and loads the right one again', async () => {
    const { globalValue } = settings().inspect('model')!;
    await settings().update('model', '/no/such/model', vscode.ConfigurationTarget.Global);
    await reach('failed');
    const status = api.status();
    assert.ok(status.kind === 'failed' && status.message.includes('/no/such/model'));
    await settings().update('model', globalValue, vscode.ConfigurationTarget.Global);
    await reach('ready');
  });
});
