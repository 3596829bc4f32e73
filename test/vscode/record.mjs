// Makes the pictures of README.md from the real thing: node test/vscode/record.mjs, after a build.
// Times are as they were; unchanged pixels are left out of the frames.
import { appendFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import gifenc from 'gifenc';
import { pack } from '../../package.mjs';
import { root } from '../setup/system.mjs';
import { windowAddress, withCodeServer } from './codeServer.mjs';

const { GIFEncoder, applyPalette, quantize } = gifenc;
const WAIT_MS = 150_000;
const viewport = { width: 760, height: 380 };
/** Rows of pixels. */
const STATUS_BAR = 34;
const GHOST = '.ghost-text-decoration, .ghost-text';
const media = (name) => join(root, 'media', name);
const settings = {
  'breadcrumbs.enabled': false,
  'chat.disableAIFeatures': true,
  'editor.cursorBlinking': 'solid',
  'editor.minimap.enabled': false,
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.suggestOnTriggerCharacters': false,
  'git.enabled': false,
  'lckv.maxTokens': 24,
  'security.workspace.trust.enabled': false,
  'window.commandCenter': false,
  'workbench.activityBar.location': 'hidden',
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.editor.showTabs': 'none',
  'workbench.layoutControl.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
};

const workspace = join(root, 'dist', 'recording');
rmSync(workspace, { recursive: true, force: true });
mkdirSync(workspace, { recursive: true });
cpSync(join(root, 'test', 'vscode', 'workspace'), workspace, { recursive: true });
const file = join(workspace, 'shapes.ts');
appendFileSync(file, '\n/** Whether two points are equal. */\n');

const vsix = await pack(`linux-${process.arch}`);
await withCodeServer({ settings, vsix, viewport }, async ({ page, server }) => {
  const payload = [['openFile', `vscode-remote://${server.authority}${file}`]];
  await page.goto(windowAddress(server, workspace, payload));
  await page.waitForSelector('.monaco-editor .view-lines', { timeout: WAIT_MS });
  await page.waitForSelector('[aria-label^="LCKV completion: ready"]', { timeout: WAIT_MS });
  await page.keyboard.press('Control+b');
  await page.click('.monaco-editor .view-lines');
  await page.keyboard.press('Control+End');
  await page.waitForTimeout(5000); // the prompt is read
  const film = startFilm(page);
  for (const text of ['export function equals(', 'return a']) {
    await page.keyboard.type(text, { delay: 90 });
    await page.waitForSelector(GHOST, { timeout: WAIT_MS });
    await page.waitForTimeout(1200);
    await page.keyboard.press('Tab');
    await page.waitForTimeout(700);
    if (text.startsWith('export')) await page.keyboard.press('Enter');
  }
  await page.waitForTimeout(1000);
  writeFileSync(media('typing.gif'), await animate(page, await film()));

  await page.click('[aria-label^="LCKV completion: "]');
  await page.waitForSelector('.quick-input-widget .monaco-list-row', { timeout: 10_000 });
  await page.waitForTimeout(800);
  await page.screenshot({ path: media('menu.png') });
  await page.keyboard.press('Escape');
  await page.setViewportSize({ width: 900, height: 900 });
  await page.keyboard.press('F1');
  await page.waitForSelector('.quick-input-widget', { timeout: 10_000 });
  await page.keyboard.type('LCKV: Show Model Info', { delay: 20 });
  await page.keyboard.press('Enter');
  await page.waitForTimeout(5000);
  await page.screenshot({ path: media('info.png') });
});
process.exit();

/** Takes pictures until it is told to stop; then resolves with them and when they were taken. */
function startFilm(page) {
  const frames = [];
  let isOn = true;
  const filming = (async () => {
    while (isOn) frames.push({ at: Date.now(), picture: await page.screenshot() });
  })();
  return async () => {
    isOn = false;
    await filming;
    return frames;
  };
}

/** A GIF of the frames; the page decodes them. */
async function animate(page, frames) {
  const { width, height } = viewport;
  const decoded = [];
  for (const { picture } of frames) decoded.push(await pixels(page, picture.toString('base64')));
  const palette = quantize(decoded.at(-1), 255);
  const shots = decoded.map((rgba, i) => ({
    at: frames[i].at,
    index: applyPalette(rgba, palette),
  }));
  // What turns in the status bar alone is not worth a frame.
  const seen = width * (height - STATUS_BAR);
  const isNew = ({ index }, i) =>
    i === 0 || index.some((color, at) => at < seen && color !== shots[i - 1].index[at]);
  const changes = shots.filter(isNew);
  const gif = GIFEncoder();
  changes.forEach(({ at, index }, i) => {
    const before = changes[i - 1]?.index;
    const delay = (changes[i + 1]?.at ?? at + 2500) - at;
    const pixels = before ? index.map((color, at) => (color === before[at] ? 255 : color)) : index;
    gif.writeFrame(pixels, width, height, {
      ...{ palette: before ? undefined : [...palette, [0, 0, 0]], delay, dispose: 1 },
      ...{ transparent: before !== undefined, transparentIndex: 255 },
    });
  });
  gif.finish();
  return gif.bytes();
}

/** The pixels of a PNG, four bytes each. */
async function pixels(page, png) {
  const text = await page.evaluate(async (png) => {
    const bytes = Uint8Array.from(atob(png), (character) => character.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    let text = '';
    for (let at = 0; at < data.length; at += 8192)
      text += String.fromCharCode(...data.subarray(at, at + 8192));
    return btoa(text);
  }, png);
  return new Uint8Array(Buffer.from(text, 'base64'));
}
