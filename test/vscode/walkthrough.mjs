// The walkthrough as a new user goes through it: each step is checked off by what it asks for, and not
// before. With the extension's own package installed.
import { strict as assert } from 'node:assert';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { windowAddress } from './codeServer.mjs';
import { inTurn } from './inTurn.mjs';

const START_MS = 150_000;
const CHECK_MS = 20_000;
const GHOST = ':is(.ghost-text-decoration, .ghost-text)';
const STEPS = ['suggestion', 'accept', 'model', 'privacy'];

/** Does what the steps say, in their order; records one test for each. */
export async function testWalkthrough({ page, server }, folder, record) {
  const workspace = join(folder, 'new-user');
  mkdirSync(workspace, { recursive: true });
  const step = (id) => page.locator(`.getting-started-step[data-step-id$="#start#${id}"]`);
  const row = (text) => page.locator('.quick-input-widget .monaco-list-row', { hasText: text });
  const checked = async () => {
    const states = await Promise.all(STEPS.map((id) => step(id).getAttribute('aria-checked')));
    return STEPS.filter((_, i) => states[i] === 'true');
  };
  const open = async () => {
    await page.keyboard.press('F1');
    await page.waitForSelector('.quick-input-widget', { timeout: 10_000 });
    await page.keyboard.type('Welcome: Open Walkthrough', { delay: 20 });
    await row('Open Walkthrough...').first().click();
    await row('Start with LCKV Code').click();
    await step('suggestion').waitFor({ timeout: CHECK_MS });
  };
  /** Waits until these steps are checked off, and sees that no other one is. */
  const expectChecked = async (...ids) => {
    for (const end = Date.now() + CHECK_MS; Date.now() < end; await page.waitForTimeout(100))
      if ((await checked()).length >= ids.length) break;
    assert.deepEqual(await checked(), ids);
  };

  const tests = {
    'the walkthrough opens with no step checked off': async () => {
      await page.goto(windowAddress(server, workspace, []));
      await page.waitForSelector('[aria-label^="LCKV completion: ready"]', { timeout: START_MS });
      await open();
      await expectChecked();
    },
    'its link opens a sample, which checks the first step off': async () => {
      await step('suggestion').locator('.monaco-button', { hasText: 'Open a Sample' }).click();
      await page.waitForSelector('.monaco-editor .view-lines', { timeout: CHECK_MS });
      await open();
      await expectChecked('suggestion');
    },
    'the sample brings a suggestion; its acceptance checks the second step off': async () => {
      await page.locator('.tab', { hasText: /untitled/i }).click();
      await page.keyboard.type('a'); // a suggestion is shown where one stays
      await page.waitForSelector(GHOST, { timeout: START_MS });
      await page.keyboard.press('Tab');
      await page.waitForSelector(GHOST, { state: 'detached', timeout: CHECK_MS });
      await open();
      await expectChecked('suggestion', 'accept');
    },
    'its link to the models checks the third step off': async () => {
      await step('model').click();
      await step('model').locator('.monaco-button', { hasText: 'Select Model' }).click();
      await row('bundled').waitFor({ timeout: CHECK_MS });
      await page.keyboard.press('Escape');
      await expectChecked('suggestion', 'accept', 'model');
    },
    'opening the last step checks it off': async () => {
      await step('privacy').click();
      await expectChecked(...STEPS);
      await page.screenshot({ path: join(folder, 'walkthrough.png') });
    },
  };
  await inTurn(tests, { page, failed: join(folder, 'walkthrough-failed.png'), record });
}
