// The info page in a real browser: in every theme it can be read, fits, and keeps its policy.
import { strict as assert } from 'node:assert';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { findBrowser, root } from '../setup/system.mjs';
import { BROWSER_FLAGS } from './codeServer.mjs';

const ORIGIN = 'http://page.test';
const TYPES = { css: 'text/css', js: 'text/javascript' };

/** Colours of VS Code's own themes. */
const themes = {
  light: ['#3b3b3b', '#ffffff', '#1a85ff', '#005fb8', '#ffffff', '#005fb8'],
  dark: ['#cccccc', '#1f1f1f', '#3794ff', '#0078d4', '#ffffff', '#0078d4'],
  'high-contrast': ['#ffffff', '#000000', '#3794ff', '#000000', '#ffffff', '#f38518', '#6fc3df'],
};
const names = [
  'foreground',
  'editor-background',
  'charts-blue',
  'button-background',
  'button-foreground',
  'focusBorder',
  'contrastBorder',
];

/** Draws each page in each theme and width and judges it; pictures go to `folder`. */
export async function testPages(folder, record) {
  const { pages } = createRequire(import.meta.url)(
    join(root, 'dist', 'test', 'vscode', 'infoPages.js'),
  );
  mkdirSync(folder, { recursive: true });
  const browser = await chromium.launch({ executablePath: findBrowser(), args: BROWSER_FLAGS });
  try {
    for (const [theme, colours] of Object.entries(themes))
      for (const [name, html] of Object.entries(pages(ORIGIN))) {
        const started = Date.now();
        const title = `the info page, ${name}, can be read and used in the ${theme} theme`;
        try {
          await judge(browser, html, colours, join(folder, `info-${name}-${theme}`));
          record({ title, ms: Date.now() - started });
        } catch (error) {
          record({ title, ms: Date.now() - started, error: error.stack });
        }
      }
  } finally {
    await browser.close();
  }
}

async function judge(browser, html, colours, picture) {
  const page = await browser.newPage({ viewport: { width: 1000, height: 800 } });
  const complaints = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.addInitScript(() => {
    globalThis.sent = [];
    globalThis.acquireVsCodeApi = () => ({ postMessage: (message) => sent.push(message) });
  });
  await page.route(`${ORIGIN}/**`, (route) => {
    const file = new URL(route.request().url()).pathname.slice(1);
    if (file === '') return route.fulfill({ contentType: 'text/html', body: html });
    const body = readFileSync(join(root, 'media', file), 'utf8');
    return route.fulfill({ contentType: TYPES[file.split('.').pop()], body });
  });
  await page.goto(`${ORIGIN}/`);
  await page.evaluate(
    ([keys, values]) =>
      values.forEach((value, i) =>
        document.documentElement.style.setProperty(`--vscode-${keys[i]}`, value),
      ),
    [names, colours],
  );
  for (const details of await page.$$('details')) await details.evaluate((e) => (e.open = true));
  for (const width of [320, 1000]) {
    await page.setViewportSize({ width, height: 800 });
    await page.screenshot({ path: `${picture}-${width}.png`, fullPage: true });
    const overflow = await page.evaluate(() =>
      [...document.querySelectorAll('body *')]
        .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('svg'))
        .map((e) => e.outerHTML.slice(0, 80)),
    );
    assert.deepEqual(overflow, [], `wider than ${width}`);
  }
  assert.deepEqual(await page.evaluate(unnamed), []);
  assert.deepEqual(await page.evaluate(pale), []);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.deepEqual(await page.evaluate(() => sent), [{ command: 'lckv.benchmark' }]);
  await page.evaluate(() => postMessage({ sections: { status: 'new' }, focus: 'suggestions' }));
  await page.waitForFunction(() => document.activeElement.id === 'suggestions-title');
  assert.equal(await page.textContent('#status'), 'new');
  assert.deepEqual(complaints, []);
  await page.close();
}

/** In the page: pictures, buttons, sections and tables that a screen reader cannot name. */
function unnamed() {
  const name = (e) => {
    const ids = e.getAttribute('aria-labelledby')?.split(' ') ?? [];
    const parts = ids.map((id) => document.getElementById(id)?.textContent ?? '');
    return [e.getAttribute('aria-label'), ...parts, e.querySelector('caption')?.textContent]
      .concat(e.tagName === 'BUTTON' ? e.textContent : '')
      .join('')
      .trim();
  };
  const pictures = [...document.querySelectorAll('svg')].filter((e) => {
    const hasTable = e.closest('section').querySelector('table') !== null;
    return e.getAttribute('role') !== 'img' || !hasTable;
  });
  const nameless = [...document.querySelectorAll('svg, button, section, table, meter')];
  return [...pictures, ...nameless.filter((e) => name(e) === '')].map((e) => e.outerHTML);
}

/** In the page: text with less contrast than 4.5, and parts of pictures with less than 3. */
function pale() {
  const rgb = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) =>
    rgb(colour)
      .slice(0, 3)
      .map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
      .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (e) => {
    const { backgroundColor } = getComputedStyle(e);
    return rgb(backgroundColor)[3] !== 0 || e === document.body
      ? backgroundColor
      : behind(e.parentElement);
  };
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    const style = getComputedStyle(e);
    const hasText = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== '');
    if (hasText && !e.closest('svg, script') && contrast(style.color, behind(e)) < 4.5)
      found.push(`${e.outerHTML.slice(0, 80)} ${style.color} on ${behind(e)}`);
    if (e.matches('text') && contrast(style.fill, behind(e.closest('section'))) < 4.5)
      found.push(e.outerHTML);
    if (e.matches('rect, path, polyline') && style.stroke !== 'none')
      if (contrast(style.stroke, behind(e.closest('section'))) < 3)
        found.push(`${e.outerHTML} ${style.stroke}`);
  }
  return found;
}
