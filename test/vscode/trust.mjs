// A folder that the user does not trust: its settings choose neither model nor adapter, until it is
// trusted. With the extension's own package installed, in a window that asks for trust.
import { strict as assert } from 'node:assert';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { windowAddress } from './codeServer.mjs';
import { inTurn } from './inTurn.mjs';

const START_MS = 150_000;

/** Settings of a user whom VS Code asks about trust, but not by a dialog at the start. */
export const TRUST_SETTINGS = {
  'security.workspace.trust.enabled': true,
  'security.workspace.trust.startupPrompt': 'never',
  'security.workspace.trust.untrustedFiles': 'open',
};

/** What the folder asks for. It is not there, so that whoever heeds this says so. */
const MODEL = '/nowhere/evil-model';

/** Opens a folder of such settings, then trusts it; records both. */
export async function testTrust({ page, server }, folder, record) {
  const workspace = join(folder, 'untrusted');
  mkdirSync(join(workspace, '.vscode'), { recursive: true });
  const settings = { 'lckv.model': MODEL, 'lckv.adapter': 'evil-adapter' };
  writeFileSync(join(workspace, '.vscode', 'settings.json'), JSON.stringify(settings));
  writeFileSync(join(workspace, 'a.ts'), 'export const one = 1;\n');
  const status = (kind, timeout) =>
    page.waitForSelector(`[aria-label^="LCKV completion: ${kind}"]`, { timeout });
  const said = () =>
    page.$$eval('.notifications-center', (all) => all.map((e) => e.textContent).join('\n'));

  const tests = {
    'settings of a folder without trust choose no model': async () => {
      const payload = [['openFile', `vscode-remote://${server.authority}${workspace}/a.ts`]];
      await page.goto(windowAddress(server, workspace, payload));
      await page.waitForSelector('[id="status.workspaceTrust"]', { timeout: START_MS });
      await status('ready', START_MS);
      await page.click('[id="status.notifications"]');
      await page.waitForTimeout(1000);
      await page.screenshot({ path: join(folder, 'untrusted.png') });
      assert.ok(!(await said()).includes('evil'), await said());
      await page.click('[id="status.notifications"]');
    },
    'with trust they do': async () => {
      await page.keyboard.press('F1');
      await page.waitForSelector('.quick-input-widget', { timeout: 10_000 });
      await page.keyboard.type('Workspaces: Manage Workspace Trust', { delay: 20 });
      await page.click('.quick-input-widget .monaco-list-row:has-text("Manage Workspace Trust")');
      await page.click('.workspace-trust-editor .monaco-button:has-text("Trust")');
      await page.waitForSelector('[id="status.workspaceTrust"]', { state: 'detached' });
      await page.click('.monaco-modal-editor-block .codicon-close');
      await page.click('[id="status.notifications"]');
      // The click may have closed the list, where a toast had opened it; what it says is there all the same.
      const isThere = { state: 'attached', timeout: 60_000 };
      await page.waitForSelector('.notifications-center >> text=/evil/', isThere);
      await page.screenshot({ path: join(folder, 'trusted.png') });
    },
  };
  await inTurn(tests, { page, failed: join(folder, 'trust-failed.png'), record });
}
