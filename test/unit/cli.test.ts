import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { languageOf } from '../../src/cli/languages';
import { Safetensors } from '../../src/model/safetensors';
import { tinyModel } from '../checkpoints';

interface Run {
  code: number | null;
  out: string;
  err: string;
}

/** Runs the built command line, as a user does. */
function lckv(args: string[], input = ''): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['dist/lckv.mjs', ...args]);
    let [out, err] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (out += data.toString()));
    child.stderr.on('data', (data: Buffer) => (err += data.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
    child.stdin.end(input);
  });
}

const lines = (out: string): unknown[] =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

describe('lckv', () => {
  let dir: string;
  let remove: () => Promise<void>;
  let file: string;
  before(async () => {
    ({ dir, remove } = await tinyModel());
    file = join(dir, 'some.ts');
    await writeFile(file, 'const a = 1;\r\nreturn \r\n');
  });
  after(() => remove());

  describe('complete', () => {
    it('streams text', async () => {
      const { code, out } = await lckv(['complete', '--model', dir, `${file}:2:8`]);
      assert.equal(code, 0);
      const json = await lckv(['complete', '--json', '--model', dir, `${file}:2:8`]);
      const { text } = JSON.parse(json.out) as { text: string };
      assert.equal(out, `${text}\n`);
      assert.ok(text.length > 0);
    });

    it('prints one JSON object', async () => {
      const args = ['--json', '--max-tokens', '5', '--context', '100', '--model', dir];
      const { code, out } = await lckv(['complete', ...args, `${file}:1:1`]);
      assert.equal(code, 0);
      const { text, ...rest } = JSON.parse(out) as Record<string, unknown>;
      assert.ok(typeof text === 'string');
      assert.deepEqual(Object.keys(rest).sort(), [
        ...['msToFirstToken', 'passes', 'promptTokens', 'reason'],
        ...['reusedTokens', 'tokens', 'tokensPerSecond'],
      ]);
      assert.equal(rest.tokens, 5);
      assert.ok((rest.promptTokens as number) <= 95);
    });

    it('ends a line', async () => {
      const { code, out } = await lckv(['complete', '--line', '--model', dir, `${file}:2:8`]);
      assert.equal(code, 0);
      assert.equal(out.trim().split('\n').length, 1);
    });

    for (const [args, message] of [
      [[], /complete takes one FILE:LINE:COL/],
      [['x.ts'], /Found 'x\.ts', expected FILE:LINE:COL/],
      [['--max-tokens', 'x', 'a:1:1'], /--max-tokens: found 'x', expected a whole number from 1/],
      [['--colour'], /Unknown option '--colour'/],
      [['--subgroups', 'on', 'a:1:1'], /--subgroups: found 'on', expected auto or off/],
      [['--jsonl', 'a:1:1'], /or --jsonl and no file/],
    ] as [string[], RegExp][]) {
      it(`does not understand ${JSON.stringify(args)}`, async () => {
        const { code, err, out } = await lckv(['complete', ...args]);
        assert.match(err, message);
        assert.deepEqual([code, out], [2, '']);
      });
    }

    it('does not understand a cursor outside the file', async () => {
      const at = (cursor: string) => lckv(['complete', '--model', dir, `${file}:${cursor}`]);
      const [line, column] = [await at('9:1'), await at('1:99')];
      assert.match(line.err, /found line 9, expected 1 to 3/);
      assert.match(column.err, /found column 99 in line 1, expected 1 to 13/);
      assert.deepEqual([line.code, column.code], [2, 2]);
    });

    it('fails over a model that is not there', async () => {
      const { code, err } = await lckv(['complete', '--model', '/nowhere', `${file}:1:1`]);
      assert.equal(code, 1);
      assert.match(err, /\/nowhere\/config\.json: cannot be read .* A model folder holds/);
    });
  });

  describe('complete --jsonl', () => {
    it('answers every line and goes on after a bad one', async () => {
      const task = { path: 'a.ts', language: 'typescript', prefix: 'let a = ', suffix: ';\n' };
      const input = [
        JSON.stringify({ id: 1, ...task, maxTokens: 4 }),
        '{"id":',
        JSON.stringify({ id: 'two', ...task, prefix: 7 }),
        '',
        JSON.stringify({ id: 'three', ...task, maxTokens: 0 }),
        '[]',
        JSON.stringify({ id: 4, ...task, maxTokens: 4 }),
      ].join('\n');
      const { code, out } = await lckv(['complete', '--jsonl', '--model', dir], input);
      assert.equal(code, 0);
      const answers = lines(out) as Record<string, unknown>[];
      assert.deepEqual(
        answers.map(({ id }) => id),
        [1, null, 'two', 'three', null, 4],
      );
      const [first, json, two, three, list, last] = answers;
      assert.deepEqual(Object.keys(first).sort(), ['completion', 'id', 'raw', 'timings']);
      assert.ok((first.raw as string).length > 0);
      assert.match(json.error as string, /JSON/);
      assert.match(two.error as string, /prefix: found 7, expected a string/);
      assert.match(three.error as string, /maxTokens: found 0, expected a whole number/);
      assert.match(list.error as string, /expected a JSON object/);
      assert.equal(last.raw, first.raw);
      const { promptTokens, reusedTokens } = last.timings as Record<string, number>;
      assert.equal(reusedTokens, promptTokens - 1);
    });
  });

  describe('logits', () => {
    const golden = async (name: string) => {
      const folder = `test/fixtures/goldens/${name}`;
      const { prompt, crop_to, other } = JSON.parse(
        await readFile(`${folder}/golden.json`, 'utf8'),
      ) as Record<'prompt' | 'other', number[]> & { crop_to: number };
      const file = await Safetensors.open(`${folder}/golden.safetensors`);
      const floats = async (array: string) =>
        new Float32Array((await file.read(array)).buffer as ArrayBuffer);
      const expected = { exact: await floats('exact'), then: await floats('after_crop') };
      const nine = await floats('nine_passes');
      await file.close();
      return { folder, prompt, crop_to, other, expected, nine };
    };
    /** Mean squared difference over mean square. */
    const error = (found: number[], expected: Float32Array) => {
      assert.equal(found.length, expected.length);
      const sum = (of: (i: number) => number) => found.reduce((all, _, i) => all + of(i) ** 2, 0);
      return sum((i) => found[i] - expected[i]) / sum((i) => expected[i]);
    };
    const args = (folder: string, tokens: number[]) => [
      ...['logits', '--model', folder, '--tokens', JSON.stringify(tokens)],
    ];

    for (const name of ['lckv-w2', 'lckv-w4-nodiag', 'windows', 'groups']) {
      it(`are exact for ${name}, also after a crop`, async () => {
        const { folder, prompt, crop_to, other, expected } = await golden(name);
        const then = ['--crop-to', `${crop_to}`, '--then', JSON.stringify(other)];
        const { code, out, err } = await lckv([...args(folder, prompt), ...then]);
        assert.equal(code, 0, err);
        const rows = lines(out) as number[][];
        assert.equal(rows.length, prompt.length + other.length);
        assert.ok(error(rows.slice(0, prompt.length).flat(), expected.exact) < 1e-8);
        assert.ok(error(rows.slice(prompt.length).flat(), expected.then) < 1e-8);
      });
    }

    it('take a number of passes, or one token at a time', async () => {
      const { folder, prompt, expected, nine } = await golden('lckv-w2');
      const run = async (passes: string, compared = expected.exact) => {
        const { out } = await lckv([...args(folder, prompt), '--passes', passes]);
        return error((lines(out) as number[][]).flat(), compared);
      };
      assert.ok((await run('sequential')) < 1e-8);
      assert.ok((await run('40')) < 1e-8);
      assert.ok((await run('9', nine)) < 1e-8);
      assert.ok((await run('2')) > 1e-3, 'two passes are not enough for random weights');
    });

    it('do not understand wrong tokens', async () => {
      const folder = 'test/fixtures/goldens/lckv-w2';
      for (const [more, message] of [
        [['--tokens', '[97]'], /--tokens: found '\[97\]', expected .* from 0 to 96/],
        [['--tokens', 'x'], /--tokens: found 'x'/],
        [[], /logits needs --tokens/],
        [['--tokens', '[1]', '--crop-to', '2'], /--crop-to: found 2, expected at most 1/],
        [['--tokens', '[1]', '--passes', '0'], /--passes: found '0'/],
      ] as [string[], RegExp][]) {
        const { code, err } = await lckv(['logits', '--model', folder, ...more]);
        assert.equal(code, 2);
        assert.match(err, message);
      }
    });
  });

  describe('info', () => {
    it('describes a model', async () => {
      const folder = 'test/fixtures/goldens/lckv-w2';
      const { code, out } = await lckv(['info', '--model', folder]);
      assert.equal(code, 0);
      assert.match(out, /plan +0 6' 6' 6' 6' 6' 6 7/);
      assert.match(out, /groups +0 1-6\* 7/);
      assert.match(out, /8, of these 3 with keys and values/);
      assert.match(out, /37\.5 % of a standard transformer's 1024 bytes/);
    });

    it('describes it as JSON', async () => {
      const { out } = await lckv(['info', '--json', '--model', dir]);
      const facts = JSON.parse(out) as Record<string, unknown>;
      assert.equal(facts.name, 'tiny');
      assert.equal(facts.kvLayers, 3);
      assert.equal(facts.weightBytes, 4 * (facts.parameters as number));
    });
  });

  it('explains itself', async () => {
    const [help, nothing, unknown] = [await lckv(['help']), await lckv([]), await lckv(['fly'])];
    assert.match(help.out, /complete FILE:LINE:COL/);
    assert.equal(help.out, nothing.out);
    assert.match(unknown.err, /There is no command 'fly'/);
    assert.deepEqual([help.code, nothing.code, unknown.code], [0, 2, 2]);
  });

  it('knows languages by extension', () => {
    const paths = ['a/b.ts', 'x.PY', 'x.tsx', 'Makefile', 'a.b.h', '.ts'];
    const expected = ['typescript', 'python', 'typescriptreact', 'plaintext', 'c', 'plaintext'];
    assert.deepEqual(paths.map(languageOf), expected);
  });
});
