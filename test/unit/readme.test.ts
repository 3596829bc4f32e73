// README.md and the other pages for people say what is true.
import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SETTINGS } from '../../src/host/settings';

const PAGES = ['README.md', 'CONTRIBUTING.md', 'docs/SECURITY.md', 'docs/FAULTS.md'];
const MOST_PICTURE_BYTES = 150_000;

const read = (path: string) => readFileSync(path, 'utf8');

describe('README', () => {
  it('lists every setting with its default', () => {
    const rows = [...read('README.md').matchAll(/^\| `lckv\.(\w+)` \| (?:`(.*?)`)? ?\| \S/gm)];
    const said = Object.fromEntries(rows.map(([, name, value = '']) => [name, value]));
    const expected = Object.entries(SETTINGS).map(([name, { schema }]) => {
      const { default: standard } = schema as { default: object | string | number | boolean };
      return [name, typeof standard === 'object' ? '' : `${standard}`];
    });
    assert.deepEqual(said, Object.fromEntries(expected));
  });

  it('shows pictures that the Marketplace takes and that are small', () => {
    const pictures = [...read('README.md').matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)];
    assert.ok(pictures.length >= 3);
    for (const [, path] of pictures) {
      assert.match(path, /\.(png|gif)$/);
      assert.ok(statSync(path).size < MOST_PICTURE_BYTES, `${path}: ${statSync(path).size} bytes`);
    }
  });

  it('names scripts that there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = PAGES.flatMap((page) => [...read(page).matchAll(/npm (?:run (\w+)|(test))/g)]);
    assert.ok(named.length > 5);
    for (const [text, script, test] of named) assert.ok((script ?? test) in scripts, text);
  });

  for (const page of PAGES)
    it(`${page} links to what is there`, () => {
      for (const [, target] of read(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
        assert.ok(existsSync(join(dirname(page), target)), target);
      for (const [, path] of read(page).matchAll(/`((?:test|src|docs|bench)\/[\w./-]+)`/g))
        assert.ok(existsSync(path), path);
    });
});
