import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { trimCompletion } from '../../src/text/trim';
import { BlockExtent } from '../../src/text/extent';
import { seededRandom } from '../../src/engine/sample';
import { ATOMS } from '../atoms';

/** A real situation, read from test/unit/trim, where README.md explains how they are written. */
interface Case {
  name: string;
  language: string;
  prefix: string;
  suffix: string;
  completion: string;
  insert: string;
  replace: number;
}

const FOLDER = 'test/unit/trim';

const plain = (text: string) =>
  text.replaceAll('·', ' ').replaceAll('→', '\t').replaceAll('␍', '\r');

function parseCase(language: string, text: string): Case {
  const [name] = text.split('\n', 1);
  const sections = text.slice(name.length + 1).split(/\n--\n/);
  assert.ok(sections.length === 2 || sections.length === 3, name);
  const [document, marked, explicit] = sections.map(plain);
  const [prefix, after, ...more] = document.split('¦');
  assert.ok(after !== undefined && more.length === 0, `${name}: one cursor`);
  return {
    name,
    language,
    prefix,
    suffix: after.replace('‖', ''),
    completion: marked.replace('✂', ''),
    insert: explicit ?? marked.split('✂', 1)[0],
    replace: Math.max(0, after.indexOf('‖')),
  };
}

const cases = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.txt'))
  .flatMap((file) => {
    const text = readFileSync(`${FOLDER}/${file}`, 'utf8').replace(/\n$/, '');
    const parts = text.replace(/^== /, '').split('\n\n== ');
    return parts.map((part) => parseCase(file.slice(0, -4), part));
  });

/** How many brackets find no partner, strings and comments read as code. */
function unmatched(text: string): number {
  const open: string[] = [];
  let lonely = 0;
  for (const bracket of text.match(/[()[\]{}]/g) ?? []) {
    if ('([{'.includes(bracket)) open.push(bracket);
    else if (open.at(-1) === '([{'[')]}'.indexOf(bracket)]) open.pop();
    else lonely++;
  }
  return lonely + open.length;
}

describe('trimCompletion', () => {
  for (const { name, language, prefix, suffix, completion, insert, replace } of cases) {
    it(`${language}: ${name}`, () => {
      const trimmed = trimCompletion({ language, prefix, suffix, completion });
      const shown = ({ insert, replace }: { insert: string; replace: number }) =>
        `${prefix}${insert}¦${suffix.slice(0, replace)}‖${suffix.slice(replace)}`;
      assert.equal(shown(trimmed), shown({ insert, replace }));
    });
  }

  it('has at least 500 cases in 15 languages, 60 of which keep all of the completion', () => {
    const keeping = cases.filter(({ insert, completion }) => insert === completion);
    assert.ok(cases.length >= 500, `${cases.length}`);
    assert.ok(keeping.length >= 60, `${keeping.length}`);
    assert.ok(new Set(cases.map(({ language }) => language)).size >= 15);
    const names = cases.map(({ language, name }) => `${language}: ${name}`);
    assert.deepEqual(
      names.filter((name, i) => names.indexOf(name) !== i),
      [],
    );
  });

  it('says the same of what it has trimmed', () => {
    for (const { name, language, prefix, suffix, completion } of cases) {
      const once = trimCompletion({ language, prefix, suffix, completion });
      const twice = trimCompletion({ language, prefix, suffix, completion: once.insert });
      assert.deepEqual(twice, once, name);
    }
  });

  it('says the same of what the worker has stopped', () => {
    for (const { name, language, prefix, suffix, completion } of cases) {
      const extent = new BlockExtent({ prefix, language });
      const stopped = extent.take(completion) + extent.flush();
      assert.ok(completion.startsWith(stopped), name);
      assert.deepEqual(
        trimCompletion({ language, prefix, suffix, completion: stopped }),
        trimCompletion({ language, prefix, suffix, completion }),
        name,
      );
    }
  });

  it('leaves brackets no worse than they were, or than the completion itself leaves them', () => {
    for (const { name, language, prefix, suffix, completion } of cases) {
      const { insert, replace } = trimCompletion({ language, prefix, suffix, completion });
      const before = unmatched(prefix + suffix);
      const raw = unmatched(prefix + completion + suffix);
      const now = unmatched(prefix + insert + suffix.slice(replace));
      assert.ok(now <= Math.max(before, raw), `${language}: ${name}: ${before}, ${raw} -> ${now}`);
    }
  });

  it('never begins or ends with what stands behind the cursor', () => {
    for (const { name, language, prefix, suffix, completion } of cases) {
      const { insert, replace } = trimCompletion({ language, prefix, suffix, completion });
      const behind = suffix.slice(replace);
      const line = behind.split('\n', 1)[0].trim();
      assert.notEqual(insert === '' ? undefined : insert, behind.slice(0, insert.length), name);
      if (line.length > 5) assert.ok(!insert.trimEnd().endsWith(line), `${language}: ${name}`);
    }
  });

  it('replaces no more than the rest of the line, and only what the editor can show', () => {
    for (const { name, language, prefix, suffix } of cases) {
      for (const { completion } of cases.slice(0, 120)) {
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

  it('takes any text, and inserts only its beginning and white space, and no line anew', () => {
    const random = seededRandom(11);
    const others = [
      'a',
      'if',
      'end',
      'else',
      '// x',
      '# y',
      '</p>',
      ' ',
      '  ',
      ';',
      '<',
      '>',
      '=',
      '😀',
    ];
    const choices = [...ATOMS, ...others];
    const text = (most: number) =>
      Array.from(
        { length: Math.floor(random() * most) },
        () => choices[Math.floor(random() * choices.length)],
      ).join('');
    for (let i = 0; i < 3000; i++) {
      const language = ['typescript', 'python', 'html', 'shellscript', 'rust', 'c'][i % 6];
      const [prefix, suffix, completion] = [text(20), text(20), text(20)];
      const { insert, replace } = trimCompletion({ language, prefix, suffix, completion });
      assert.ok(replace <= suffix.split('\n', 1)[0].length);
      if (insert === '') assert.equal(replace, 0);
      const dense = (text: string) => text.replace(/\s/g, '');
      const line = dense(prefix.slice(prefix.lastIndexOf('\n') + 1));
      const told = dense(completion);
      const anew = told.startsWith(line) ? told.slice(line.length) : told;
      const isBeginning = [told, anew].some((whole) => whole.startsWith(dense(insert)));
      assert.ok(isBeginning, JSON.stringify([prefix, completion, insert]));
    }
  });
});
