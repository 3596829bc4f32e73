// The extension in a real VS Code, with the real worker and the bundled model. On a software GPU
// each completion takes seconds, so the limits are wide.
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { Api } from '../../src/host/main';
import type { Timings } from '../../src/protocol';
import { accept, activate, extension, open, python, reach, run, settings, trigger } from './editor';

let api: Api;

describe('LCKV in VS Code', () => {
  before(async () => {
    api = await activate();
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
    const told = [...seen].map(
      ({ reusedTokens, promptTokens }) => `${reusedTokens}/${promptTokens}`,
    );
    assert.ok(Math.min(...shares) >= 0.95, told.join(' '));
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
    await run('type', { text: 'return ' });
    assert.notEqual(await accept(document), '');
  });

  it('obeys the limit on tokens', async () => {
    await settings().update('maxTokens', 2, vscode.ConfigurationTarget.Global);
    await accept(await python('two tokens'), 1);
    await settings().update('maxTokens', undefined, vscode.ConfigurationTarget.Global);
    assert.ok(api.lastTimings()!.generatedTokens <= 2);
  });
});
