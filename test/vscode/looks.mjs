// How ghost text and the menu look: pixels of a screenshot, in a dark and in a light theme.
import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const THEMES = {
  dark: ['Default Dark Modern', '.vs-dark'],
  light: ['Default Light Modern', '.vs'],
};
/** How far a channel of a pixel may be from the text's colour: letters are smoothed. */
const TOLERANCE = 48;
/** A thin letter has as many pixels. */
const MIN_PIXELS = 8;
/** Text that differs less from the background cannot be read. */
const MIN_CONTRAST = 40;

/** Turns the window to a theme by the user's settings. */
export async function useTheme(page, { folder }, theme) {
  const [name, mark] = THEMES[theme];
  for (const scope of ['User', 'Machine']) {
    const file = join(folder, scope, 'settings.json');
    const settings = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...settings, 'workbench.colorTheme': name }));
  }
  await page.waitForSelector(`.monaco-workbench${mark}`, { timeout: 20_000 });
  await page.waitForTimeout(500);
}

/** Fails unless an element's text is painted in its own colour on the editor's background. */
export async function assertPainted(page, element) {
  const picture = (await element.screenshot()).toString('base64');
  const seen = await element.evaluate(
    async (node, { picture, most }) => {
      const channels = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
      const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, image.width, image.height);
      const background = channels(
        getComputedStyle(node.closest('.monaco-editor').querySelector('.monaco-editor-background'))
          .backgroundColor,
      ).slice(0, 3);
      const style = getComputedStyle(node);
      const [red, green, blue, alpha = 1] = channels(style.color);
      const share = alpha * Number(style.opacity);
      const color = [red, green, blue].map((c, i) => c * share + background[i] * (1 - share));
      const distance = (a, b) => Math.max(...a.map((c, i) => Math.abs(c - b[i])));
      const contrast = distance(color, background);
      const near = Math.min(most, contrast / 2);
      let painted = 0;
      for (let i = 0; i < data.length; i += 4)
        if (distance([data[i], data[i + 1], data[i + 2]], color) <= near) painted++;
      return { background, color, contrast, painted };
    },
    { picture, most: TOLERANCE },
  );
  assert.ok(seen.painted >= MIN_PIXELS && seen.contrast >= MIN_CONTRAST, JSON.stringify(seen));
}
