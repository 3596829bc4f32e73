import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { buildPrompt as build, fillInTheMiddleMarks } from '../../src/model/prompt';
import { Tokenizer } from '../../src/model/tokenizer';
import { seededRandom } from '../../src/engine/sample';

const tokenizer = await Tokenizer.open('test/fixtures/tiny-tokenizer');
const [PATH, SUFFIX, PREFIX] = ['<|path|>', '<|suffix|>', '<|prefix|>'].map((name) =>
  tokenizer.special(name)!,
);
const file = { path: 'src/a.ts', language: 'typescript', snippets: [] };
const buildPrompt = (...input: Parameters<typeof build>) => build(...input).ids;
const source = readFileSync('src/model/prompt.ts', 'utf8');

const text = (ids: number[]) => {
  const decoder = tokenizer.createDecoder();
  return ids.map((id) => decoder.push(id)).join('') + decoder.flush();
};
/** The three texts of a fill-in-the-middle prompt. */
const parts = (ids: number[]) => {
  const [path, suffix, prefix] = [PATH, SUFFIX, PREFIX].map((mark) => ids.indexOf(mark));
  assert.equal(path, 0);
  return {
    header: text(ids.slice(1, suffix)),
    suffix: text(ids.slice(suffix + 1, prefix)),
    prefix: text(ids.slice(prefix + 1)),
  };
};
const commonPrefix = (a: number[], b: number[]) => {
  const length = a.findIndex((id, i) => id !== b[i]);
  return length < 0 ? a.length : length;
};

describe('prompt', () => {
  it('puts the suffix first and the prefix last', () => {
    const prompt = buildPrompt(tokenizer, { ...file, prefix: 'let a', suffix: ';\n' }, 200);
    const plain = (part: string) => tokenizer.encode(part);
    assert.deepEqual(prompt, [
      ...[PATH, ...plain('typescript src/a.ts')],
      ...[SUFFIX, ...plain(';\n')],
      ...[PREFIX, ...plain('let a')],
    ]);
  });

  it('never exceeds its budget', () => {
    const random = seededRandom(1);
    for (let i = 0; i < 300; i++) {
      const cursor = Math.floor(random() * source.length);
      const budget = 16 + Math.floor(random() * 600);
      const request = {
        ...file,
        path: 'folder/'.repeat(Math.floor(random() * 40)) + 'file.ts',
        prefix: source.slice(0, cursor),
        suffix: source.slice(cursor),
      };
      const prompt = buildPrompt(tokenizer, request, budget);
      assert.ok(prompt.length <= budget, `${prompt.length} of ${budget}`);
      const { prefix, suffix } = parts(prompt);
      assert.ok(request.prefix.endsWith(prefix));
      assert.ok(request.suffix.startsWith(suffix));
      assert.ok(prompt.indexOf(PREFIX) - prompt.indexOf(SUFFIX) - 1 <= budget / 4);
    }
  });

  it('cuts at line boundaries', () => {
    const cursor = source.indexOf('\nfunction headerTokens') + 10;
    const request = { ...file, prefix: source.slice(0, cursor), suffix: source.slice(cursor) };
    const { prefix, suffix } = parts(buildPrompt(tokenizer, request, 800));
    assert.ok(prefix.startsWith('\n') && prefix.length < request.prefix.length);
    assert.ok(request.suffix.slice(suffix.length).startsWith('\n') && suffix.length > 100);
  });

  it('uses its budget: at least half of the prefix budget is filled', () => {
    for (let cursor = 1500; cursor < source.length; cursor += 97) {
      const request = { ...file, prefix: source.slice(0, cursor), suffix: '' };
      assert.ok(buildPrompt(tokenizer, request, 300).length > 150);
    }
  });

  for (const [what, document] of [
    ['source', source],
    ['one endless line', 'x = 1; '.repeat(600)],
    ['nothing but line breaks', '\n'.repeat(3000)],
  ]) {
    it(`keeps the ids before the cursor while typing (${what})`, () => {
      let moves = 0;
      let typed = 0;
      let before: number[] | null = null;
      for (let cursor = 0; cursor < Math.min(document.length, 1500); cursor++) {
        const request = { ...file, prefix: document.slice(0, cursor), suffix: '\n}\n' };
        const prompt = buildPrompt(tokenizer, request, 128);
        assert.ok(prompt.length <= 128);
        if (before && commonPrefix(before, prompt) < before.length - 3) moves++;
        before = prompt;
        typed++;
      }
      // One move per step: a step is a quarter of some 100 tokens.
      const tokens = tokenizer.encode(document.slice(0, typed)).length;
      assert.ok(moves <= tokens / 20, `${moves} moves in ${tokens} tokens`);
    });
  }

  it('depends on nothing but its arguments', () => {
    const request = { ...file, prefix: source, suffix: source };
    const fresh = Tokenizer.fromJson(
      JSON.parse(readFileSync('test/fixtures/tiny-tokenizer/tokenizer.json', 'utf8')),
      'tokenizer.json',
    );
    assert.deepEqual(buildPrompt(tokenizer, request, 300), buildPrompt(fresh, request, 300));
  });

  it('shortens a long path to the file name', () => {
    const request = {
      ...file,
      language: 'c',
      path: `${'long/'.repeat(50)}x.c`,
      prefix: 'a',
      suffix: '',
    };
    assert.equal(parts(buildPrompt(tokenizer, request, 100)).header, 'c x.c');
  });

  it('gives models without marks BOS and the prefix only', () => {
    const json = JSON.parse(
      readFileSync('test/fixtures/tiny-tokenizer/tokenizer.json', 'utf8'),
    ) as { added_tokens: object[] };
    json.added_tokens.length = 1;
    const plain = Tokenizer.fromJson(json, 'tokenizer.json');
    assert.equal(fillInTheMiddleMarks(plain), null);
    const request = { ...file, prefix: 'let a', suffix: ';' };
    assert.deepEqual(buildPrompt(plain, request, 64), plain.encode('let a'));
    assert.deepEqual(buildPrompt(plain, request, 64, 0), [0, ...plain.encode('let a')]);
    assert.deepEqual(buildPrompt(plain, request, 64, 77), plain.encode('let a'));
    const long = buildPrompt(plain, { ...request, prefix: source }, 64, 0);
    assert.ok(long.length <= 64 && long[0] === 0);
  });

  it('puts snippets between path and suffix, in their order, without their last line break', () => {
    const snippets = [
      { path: 'b.ts', text: 'export const b = 1;\n' },
      { path: 'src/c.ts', text: 'let c;' },
    ];
    const mark = tokenizer.special('<|snippet|>')!;
    const request = { ...file, snippets, prefix: 'let a', suffix: ';\n' };
    const { ids, snippetTokens } = build(tokenizer, request, 400);
    const shown = [
      ...[mark, ...tokenizer.encode('b.ts\nexport const b = 1;')],
      ...[mark, ...tokenizer.encode('src/c.ts\nlet c;')],
    ];
    const begin = ids.indexOf(mark);
    assert.equal(text(ids.slice(1, begin)), 'typescript src/a.ts');
    assert.deepEqual(ids.slice(begin, ids.indexOf(SUFFIX)), shown);
    assert.equal(snippetTokens, shown.length);
  });

  it('gives snippets a quarter at most, cuts the last at a line and leaves out what is too short', () => {
    const lines = Array.from({ length: 40 }, (_, i) => `const value${i} = ${i};`).join('\n');
    const snippets = ['b.ts', 'c.ts', 'd.ts'].map((path) => ({ path, text: lines }));
    for (const budget of [64, 200, 400, 1000, 3000]) {
      const request = { ...file, snippets, prefix: 'let a', suffix: source };
      const { ids, snippetTokens } = build(tokenizer, request, budget);
      assert.ok(ids.length <= budget && snippetTokens <= budget / 4);
      if (budget < 100) assert.equal(snippetTokens, 0);
      else assert.ok(snippetTokens > budget / 8);
      const end = ids.indexOf(SUFFIX);
      const last = text(ids.slice(end - snippetTokens, end));
      assert.ok(snippetTokens === 0 || last.endsWith(';'), last);
    }
  });

  it('keeps the same snippets whatever is typed', () => {
    const snippets = [{ path: 'b.ts', text: source.slice(0, 2000) }];
    const until = (prefix: string) => {
      const ids = buildPrompt(tokenizer, { ...file, snippets, prefix, suffix: '' }, 500);
      return ids.slice(0, ids.indexOf(PREFIX));
    };
    for (const length of [0, 10, 500, 3000])
      assert.deepEqual(until(source.slice(0, length)), until(''));
  });

  it('refuses a budget too small for a prompt', () => {
    const request = { ...file, prefix: 'a', suffix: '' };
    assert.throws(() => buildPrompt(tokenizer, request, 15), /15 tokens hold no prompt/);
  });
});
