// The info page, the benchmark and the sample in a real VS Code.
import { strict as assert } from 'node:assert';
import * as vscode from 'vscode';
import type { Api } from '../../src/host/main';
import { activate, run, until } from './editor';

let api: Api;

describe('LCKV about itself', () => {
  before(async () => {
    api = await activate();
  });

  afterEach(async () => {
    await run('workbench.action.closeAllEditors');
  });

  it('shows the model that serves, and its statistics, in a page with a strict policy', async () => {
    await run('lckv.showInfo');
    const html = api.page()!;
    const status = api.status();
    assert.ok(status.kind === 'ready');
    assert.ok(html.includes(status.model.name) && html.includes(status.device.description));
    assert.match(html, /default-src 'none'; style-src [^;]+; script-src 'nonce-[\w+/=]{20,}'"/);
    const tab = vscode.window.tabGroups.activeTabGroup.activeTab;
    assert.ok(tab?.input instanceof vscode.TabInputWebview);
    await run('lckv.openStatistics');
    assert.equal(vscode.window.tabGroups.activeTabGroup.tabs.length, 1);
    await run('workbench.action.closeAllEditors');
    await until(() => api.page() === undefined, 'the end of the page');
  });

  it('opens a sample that has a suggestion', async () => {
    const before = api.lastAnswer();
    await run('lckv.openSample');
    await until(() => api.lastAnswer() !== before, 'an answer');
    assert.equal(vscode.window.activeTextEditor!.document.languageId, 'python');
    await until(() => api.status().kind === 'ready', 'an idle worker');
  });

  it('measures this machine', async () => {
    const found = await run<[string, string][]>('lckv.benchmark');
    assert.equal(found.length, 4);
    for (const [name, value] of found) assert.match(value, /^[\d.]+ (tokens\/s|ms)$/, name);
    const stats = await api.workerStats();
    assert.ok(stats && stats.heldTokens > 0 && stats.processBytes > 1e7);
    assert.ok(stats.warmPrompts > 0 && stats.warmBytes > 0);
  });
});
