// How ghost text and the menu look: pixels of a screenshot, in a dark and in a light theme.
import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const THEMES = {
  dark: ['Default Dark Modern', '.vs-dark'],
  light: ['Default Light Modern', '.vs'],
};
/** How far a channel of the strongest pixel may be from the theme's colour: letters are smoothed. */
const TOLERANCE = 48;
/** A letter has some twenty pixels. */
const MIN_PIXELS = 20;

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
      let strongest = background;
      let painted = 0;
      for (let i = 0; i < data.length; i += 4) {
        const pixel = [data[i], data[i + 1], data[i + 2]];
        if (distance(pixel, color) <= most) painted++;
        if (distance(pixel, background) > distance(strongest, background)) strongest = pixel;
      }
      return { background, color, strongest, painted, off: distance(strongest, color) };
    },
    { picture, most: TOLERANCE },
  );
  assert.ok(seen.painted >= MIN_PIXELS && seen.off <= TOLERANCE, JSON.stringify(seen));
}
