import { strict as assert } from 'node:assert';
import { trimCompletion } from '../../src/text/trim';
import cases from './trim.cases.json';

/** Stands for the cursor in the cases, before and after the insert. */
const CURSOR = '¦';

describe('trimCompletion', () => {
  for (const { name, language, document, completion, result } of cases) {
    it(name, () => {
      const [prefix, suffix] = document.split(CURSOR);
      const { insert, replace } = trimCompletion({ language, prefix, suffix, completion });
      assert.equal(prefix + insert + CURSOR + suffix.slice(replace), result);
    });
  }

  it('has cases with one cursor each and names of their own', () => {
    const marks = (text: string) => text.split(CURSOR).length - 1;
    for (const { name, document, result } of cases) {
      assert.equal(marks(document), 1, name);
      assert.equal(marks(result), 1, name);
    }
    assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length);
  });

  it('replaces no more than the rest of the line, and only what the editor can show', () => {
    for (const { name, language, document } of cases) {
      for (const { completion } of cases) {
        const [prefix, suffix] = document.split(CURSOR);
        const { insert, replace } = trimCompletion({ language, prefix, suffix, completion });
        const replaced = suffix.slice(0, replace);
        assert.ok(!replaced.includes('\n') && replaced.length === replace, name);
        let from = 0;
        for (const character of replaced) {
          from = insert.indexOf(character, from) + 1;
          assert.ok(from > 0, `${name}: ${insert} cannot be shown over ${replaced}`);
        }
      }
    }
  });
});
