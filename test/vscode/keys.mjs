// What a user of the installed .vsix sees: real keystrokes in the window, ghost text, Tab.
import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { windowAddress } from './codeServer.mjs';
import { inTurn } from './inTurn.mjs';
import { assertPainted, useTheme } from './looks.mjs';

const START_MS = 150_000;
const ANSWER_MS = 90_000;
const GHOST = ':is(.ghost-text-decoration, .ghost-text)';
const BLANK_LINE = 22; // of the file, between two functions: a place for one more

const withoutBlanks = (text) => text.replace(/\s/g, '');

/** The text of elements from top to bottom, left to right; runs in the page. */
const inReadingOrder = (all) =>
  all
    .map((e) => ({ text: e.textContent, at: e.getBoundingClientRect() }))
    .sort(({ at: a }, { at: b }) => a.top - b.top || a.left - b.left)
    .map(({ text }) => text)
    .join('');

/** Process ids of the workers that this server's extension has started. */
function workersOf({ folder }) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return command.includes(folder) && command.includes('worker.mjs');
    } catch {
      return false; // it has just ended
    }
  });
}

const parentOf = (pid) => Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))[1]);

/** Types, accepts, generates and looks, in one window. */
export async function testKeys({ page, server, installedAt }, workspace, record) {
  const file = join(workspace, 'shapes.ts');
  const remote = (path) => `vscode-remote://${server.authority}${path}`;
  const state = (kind, timeout) =>
    page.waitForSelector(`[aria-label^="LCKV completion: ${kind}"]`, { timeout });
  const ghost = () => page.$$eval(GHOST, inReadingOrder);
  const shown = () => page.waitForSelector(GHOST, { timeout: ANSWER_MS });
  const picture = (name) => page.screenshot({ path: join(workspace, '..', `${name}.png`) });
  const saved = async () => {
    await page.waitForTimeout(500);
    await page.keyboard.press('Control+s');
    await page.waitForSelector('.tab.active.dirty', { state: 'detached', timeout: 20_000 });
    await page.waitForTimeout(500);
    return readFileSync(file, 'utf8');
  };
  const pick = async (label) => {
    await page.waitForSelector('.quick-input-widget .monaco-list-row', { timeout: 10_000 });
    await page.click(`.quick-input-widget .monaco-list-row:has-text("${label}")`);
  };
  const hosts = new Set();
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol.startsWith('http')) hosts.add(host);
  });

  const before = readFileSync(file, 'utf8');
  const tests = {
    'shows in the status bar when it is ready': async () => {
      const payload = [['openFile', remote(file)]];
      await page.goto(windowAddress(server, workspace, payload));
      await page.waitForSelector('.monaco-editor .view-lines', { timeout: START_MS });
      await state('ready', START_MS);
    },
    'shows ghost text by itself while a user types': async () => {
      await page.click('.monaco-editor .view-lines');
      await page.keyboard.press('Control+End');
      await page.keyboard.type('  return ', { delay: 60 });
      await shown();
      const seconds = ((Date.now() - installedAt) / 1000).toFixed(1);
      record({ note: `from the start of the installation to the first suggestion: ${seconds} s` });
      await picture('ghost');
    },
    'paints it faintly but visibly in a light and in a dark theme': async () => {
      for (const theme of ['light', 'dark']) {
        await useTheme(page, server, theme);
        await assertPainted(page, await shown());
        await picture(`ghost-${theme}`);
      }
    },
    'keeps it at once when the user types what it says': async () => {
      const [first] = (await ghost()).trimStart();
      await page.keyboard.type(first);
      await page.waitForSelector(GHOST, { timeout: 2000 });
    },
    'inserts it with Tab': async () => {
      const text = (await ghost()).replaceAll('\u00a0', ' ');
      await page.keyboard.press('Tab');
      const after = await saved();
      await picture('accepted');
      assert.ok(after.startsWith(`${before}  return `), after);
      assert.ok(after.includes(text), `${JSON.stringify(text)} is not in: ${after}`);
    },
    'generates by command, takes it back with Escape and inserts it with Ctrl+Enter': async () => {
      const begun = await saved();
      const lines = begun.split('\n');
      const above = withoutBlanks(lines.slice(0, BLANK_LINE).join(''));
      const below = withoutBlanks(lines.slice(BLANK_LINE).join(''));
      const streamed = new Set();
      for (const key of ['Escape', 'Control+Enter']) {
        await page.keyboard.press('Control+g');
        await page.waitForSelector('.quick-input-widget', { timeout: 10_000 });
        await page.keyboard.type(`${BLANK_LINE}`, { delay: 20 });
        await page.keyboard.press('Enter');
        await page.waitForSelector('.quick-input-widget', { state: 'hidden', timeout: 10_000 });
        await page.keyboard.press('F1');
        await page.waitForSelector('.quick-input-widget', { timeout: 10_000 });
        await page.keyboard.type('LCKV: Generate Here', { delay: 20 });
        await pick('LCKV: Generate Here');
        await page.waitForSelector('.quick-input-widget >> text=/small model/', {
          timeout: 10_000,
        });
        await page.keyboard.type('the area of a square');
        await page.keyboard.press('Enter');
        const lens = '.codelens-decoration >> text=/Accept/';
        for (
          const end = Date.now() + ANSWER_MS;
          !(await page.$(lens));
          await page.waitForTimeout(50)
        ) {
          streamed.add(withoutBlanks(await ghost()));
          assert.ok(Date.now() < end, 'no generated code came');
        }
        await page.waitForTimeout(1000);
        const code = withoutBlanks(await ghost());
        streamed.add(code);
        await picture(`generated-${key}`);
        await assertPainted(page, await page.$(`${GHOST} >> text=/\\S/`));
        await page.keyboard.press(key);
        await page.waitForSelector(lens, { state: 'detached', timeout: 10_000 });
        const after = await saved();
        if (key === 'Escape') assert.equal(after, begun);
        else assert.equal(withoutBlanks(after), above + code + below);
      }
      streamed.delete('');
      assert.ok(streamed.size > 1, `the ghost text did not grow: ${[...streamed].join(' | ')}`);
    },
    'turns off and on in the menu of the status bar': async () => {
      await (await state('ready', ANSWER_MS)).click();
      await page.waitForSelector('.quick-input-widget .monaco-list-row', { timeout: 10_000 });
      await page.waitForTimeout(500); // it fades in
      for (const theme of ['light', 'dark']) {
        await useTheme(page, server, theme);
        await picture(`menu-${theme}`);
      }
      const rows = '.quick-input-widget .monaco-list-row';
      const menu = (await page.$$eval(rows, (all) => all.map((e) => e.textContent))).join('\n');
      for (const line of ['Why no suggestion', 'Pause for', 'Turn completion off', 'Select model'])
        assert.ok(menu.includes(line), `${line} is not in: ${menu}`);
      await pick('Turn completion off');
      const off = await state('off', 10_000);
      await page.click('.monaco-editor .view-lines');
      await page.keyboard.press('Control+End');
      await page.keyboard.type('\n// A', { delay: 60 });
      await page.waitForTimeout(3000);
      assert.equal(await ghost(), '');
      await off.click();
      await pick('Turn completion on');
      await state('ready', START_MS);
    },
    'comes back when the extension host has died': async () => {
      const item = await state('ready', ANSWER_MS);
      const [worker] = workersOf(server);
      process.kill(parentOf(worker), 'SIGKILL');
      await item.waitForElementState('hidden', { timeout: 30_000 });
      await state('ready', START_MS);
      assert.equal(workersOf(server).length, 1);
      assert.ok(!workersOf(server).includes(worker));
      await page.click('.monaco-editor .view-lines');
      await page.keyboard.press('Control+End');
      await page.keyboard.type(
        '\n}\n\n/** The diameter of a circle. */\nexport function diameter(circle: Circle): number {\n  return ',
        { delay: 60 },
      );
      await shown();
    },
    'asks nobody outside this machine': () => {
      assert.deepEqual([...hosts], [server.authority]);
    },
  };

  await inTurn(tests, { page, failed: join(workspace, '..', 'failed.png'), record });
}
