import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { languageOf } from '../../src/cli/languages';
import { seededRandom } from '../../src/engine/sample';
import { trimCompletion } from '../../src/text/trim';
import { cuts, isRestored, type Cut } from '../cuts';

const FOLDERS = ['src', 'test', 'training', 'media', 'shaders', 'bench'];
const CUTS = 6;

/** Pieces of this repository's own text. */
const all = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) => /\.(?:ts|mjs|js|py|css|html|sh|wgsl)$/.test(name) && !/^\.|node_modules/.test(name),
    )
    .sort()
    .flatMap((name) => {
      const text = readFileSync(`${folder}/${name}`, 'utf8');
      const language = languageOf(name);
      return [...cuts(text, language, CUTS, seededRandom(text.length))].map((cut) => ({
        ...cut,
        ...trimCompletion({ ...cut, language }),
        language,
      }));
    }),
);

const described = ({ kind, language, prefix, suffix, completion }: Cut & { language: string }) =>
  JSON.stringify({
    kind,
    language,
    before: prefix.slice(-60),
    after: suffix.slice(0, 60),
    completion,
  });

describe('trimming of what runs on into what follows', () => {
  it('gives the text again, but for a few in a hundred', () => {
    assert.ok(all.length > 3000, `${all.length} cuts`);
    const wrong = all.filter((cut) => !isRestored(cut, cut));
    const share = wrong.length / all.length;
    assert.ok(
      share < 0.02,
      `${wrong.length} of ${all.length}:\n${wrong.slice(0, 20).map(described).join('\n')}`,
    );
  });

  it('never begins by repeating what follows', () => {
    const repeats = all.filter(({ insert, replace, suffix }) => {
      const begun = insert.trim();
      return /\w/.test(begun) && suffix.slice(replace).trimStart().startsWith(begun);
    });
    assert.deepEqual(repeats.map(described), []);
  });
});
