import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { chooseSnippets, keepOrder, MAX_SNIPPETS } from '../../src/host/context/choose';
import { isSecretFile } from '../../src/host/context/secrets';
import { StickySnippets } from '../../src/host/context/sticky';
import type { Snippet } from '../../src/protocol';
import { declarationAt } from '../../src/text/declaration';
import { importedNames, importedUses } from '../../src/text/imports';
import { identifiersOf, passagesOf, similarity } from '../../src/text/similarity';

const source = (path: string, text: string, most = 10) => ({
  path,
  passages: passagesOf(text, most),
});

describe('similar passages', () => {
  it('compares identifiers, without words that are everywhere', () => {
    assert.deepEqual(
      [...identifiersOf('const area = (r: Circle) => Math.PI * r ** 2; // größe_2')],
      ['area', 'Circle', 'Math', 'größe_2'],
    );
    const [a, b] = [new Set(['x', 'y', 'z']), new Set(['y', 'z', 'w', 'v'])];
    assert.equal(similarity(a, b), 2 / 5);
    assert.equal(similarity(a, new Set()), 0);
    assert.equal(similarity(a, a), 1);
  });

  it('cuts between blocks, loses no line and never exceeds its length', () => {
    const block = (name: string) => `function ${name}() {\n  a();\n  b();\n}\n`;
    const text = ['one', 'two', 'three', 'four'].map(block).join('\n');
    const passages = passagesOf(text, 12).map((passage) => passage.text);
    assert.deepEqual(passages, [
      `${block('one')}\n${block('two')}`.trim(),
      `${block('three')}\n${block('four')}`.trim(),
    ]);
    const long = Array.from({ length: 95 }, (_, i) => `  line${i}();`).join('\r\n');
    const parts = passagesOf(long, 20);
    assert.ok(parts.every((part) => part.text.split('\n').length <= 20));
    assert.equal(parts.map((part) => part.text).join('\n'), long.replaceAll('\r\n', '\n'));
  });
});

describe('imports', () => {
  const cases: [string, string, string[]][] = [
    [
      'typescript',
      "import {\n  area,\n  type Circle,\n} from './shapes';\nlocal();",
      ['area', 'Circle'],
    ],
    ['javascript', "const { area, scale } = require('./shapes');\nlocal();", ['area', 'scale']],
    [
      'python',
      'from shapes import (\n    area,\n    scale,\n)\nimport numpy as np2\nlocal()',
      ['area', 'scale', 'np2'],
    ],
    ['go', 'import (\n\t"fmt"\n\t"example/shapes"\n)\nfunc local() {}', ['shapes']],
    ['rust', 'use crate::shapes::{area, Circle};\nfn local() {}', ['area', 'Circle']],
    ['java', 'import com.example.shapes.Circle;\nclass Local {}', ['Circle']],
    ['c', '#include "shapes.h"\nint local;', ['shapes']],
  ];
  for (const [language, text, expected] of cases)
    it(`are read in ${language}`, () => {
      const names = importedNames(text);
      for (const name of expected) assert.ok(names.has(name), [...names].join(' '));
      assert.ok(!names.has('local') && !names.has('Local'));
    });

  it('are found where they and their members are used, the last use first', () => {
    const text = 'shapes.area(c); other(); area2; std::move(x); shapes.area(d); shapes';
    const uses = importedUses(text, new Set(['shapes', 'std']));
    assert.deepEqual(
      uses.map(({ name, offset }) => [name, text.slice(offset, offset + 4)]),
      [
        ['shapes', 'shap'],
        ['shapes.area', 'area'],
        ['std.move', 'move'],
      ],
    );
    assert.equal(uses[1].offset, text.lastIndexOf('area'));
  });
});

describe('a declaration', () => {
  const text = [
    'const a = 1;',
    '/** Area',
    ' * of a circle. */',
    'export function area(',
    '  circle: Circle,',
    '): number {',
    '  return 1;',
    '}',
    'function next()',
    '{',
    '  return 2;',
    '}',
    'class Last:',
    '    x = 1',
    '',
    '    y = 2',
    '',
  ].join('\n');
  const at = (line: number, most = 20) => declarationAt(text, line, most).split('\n');

  it('goes from the comment over it to its last brace', () => {
    assert.deepEqual(at(3), text.split('\n').slice(1, 8));
    assert.deepEqual(at(8), text.split('\n').slice(8, 12));
  });
  it('ends with its indentation', () => assert.deepEqual(at(12), text.split('\n').slice(12, 16)));
  it('may be one line', () => assert.deepEqual(at(0), ['const a = 1;']));
  it('is cut', () => assert.deepEqual(at(12, 2), ['class Last:', '    x = 1']));
  it('is none beyond the end', () => assert.equal(declarationAt(text, 99, 5), ''));
});

describe('secret files', () => {
  const secret = [
    ...['.env', '.env.local', 'config/.env.production', 'prod.env', '.envrc', '.npmrc', '.netrc'],
    ...['id_rsa', 'home/.ssh/config', 'id_ed25519.pub', 'server.key', 'certs/ca.pem', 'a.p12'],
    ...['credentials', 'credentials.json', 'secrets.yaml', '.aws/config', 'client_secret_12.json'],
    ...['service-account.json', 'prod.tfvars', 'terraform.tfstate', '.pypirc', 'release.keystore'],
    ...['.git-credentials', '.docker/config.json', 'ID_RSA', 'x/KEY.PEM', '.htpasswd', 'site.crt'],
  ];
  const plain = [
    ...['settings.json', 'config.json', 'src/environment.ts', 'env.ts', 'keys.ts', 'monkey.py'],
    ...['secrets.ts', 'credentials.py', 'src/keyboard.key.ts', 'package.json', 'pem.go'],
    ...['docker/config.json', 'tokenizer.json', 'src/id_rsa_parser.py', 'key', 'certificate.ts'],
  ];
  for (const path of secret) it(`${path} is one`, () => assert.equal(isSecretFile(path), true));
  for (const path of plain) it(`${path} is none`, () => assert.equal(isSecretFile(path), false));
});

describe('the choice of snippets', () => {
  const near = identifiersOf('circleArea(radius) + squareArea');
  const circle = source('circle.ts', 'export function circleArea(radius) {\n  return radius;\n}');
  const square = source('square.ts', 'export const squareArea = side;\n');
  const other = source('other.ts', 'export function parseHeader(bytes, offset) {}');

  it('ranks by similarity and leaves out what is about something else', () => {
    const sources = [other, square, circle];
    const chosen = chooseSnippets({ declarations: [], sources, near }, 1000);
    assert.deepEqual(
      chosen.map(({ path }) => path),
      ['circle.ts', 'square.ts'],
    );
  });

  it('puts declarations first and shows nothing twice', () => {
    const declarations = [{ path: 'square.ts', text: 'export const squareArea = side;' }];
    const chosen = chooseSnippets({ declarations, sources: [circle, square], near }, 1000);
    assert.deepEqual(
      chosen.map(({ path }) => path),
      ['square.ts', 'circle.ts'],
    );
  });

  it('keeps to the room and to the number that the model was trained with', () => {
    const sources = Array.from({ length: 9 }, (_, i) =>
      source(`${i}.ts`, `circleArea(radius${i}, side)\n`.repeat(3)),
    );
    assert.equal(chooseSnippets({ declarations: [], sources, near }, 9999).length, MAX_SNIPPETS);
    assert.equal(chooseSnippets({ declarations: [], sources, near }, 150).length, 2);
    assert.equal(chooseSnippets({ declarations: [], sources, near }, 0).length, 0);
  });

  it('keeps the order of what was there before', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((path) => ({ path, text: path }));
    assert.deepEqual(keepOrder([a, b], [c, b, a]), [a, b, c]);
    assert.deepEqual(keepOrder([a, b], [c, b]), [b, c]);
  });
});

describe('the snippets of a document', () => {
  const snippet = (text: string): Snippet => ({ path: 'b.ts', text });
  /** Sticky snippets over a collection that the test decides. */
  function setUp(idleMs = 20) {
    const state = { next: 'first', collected: 0, changes: 0 };
    const sticky = new StickySnippets({
      collect: async () => {
        const { next } = state;
        state.collected++;
        await sleep(5);
        return [snippet(next)];
      },
      onChange: () => state.changes++,
      idleMs,
    });
    const now = () => sticky.of('a').map(({ text }) => text);
    const until = async (condition: () => boolean) => {
      for (const end = Date.now() + 10_000; !condition(); await sleep(2))
        assert.ok(Date.now() < end, JSON.stringify([state, now()]));
    };
    const shows = (text: string) => until(() => now()[0] === text);
    return { state, sticky, now, until, shows };
  }

  it('come soon after the focus and stay while someone types and moves about', async () => {
    const { state, sticky, now, shows } = setUp();
    sticky.moved('a', 10);
    assert.deepEqual(now(), []);
    await shows('first');
    state.next = 'second';
    for (let line = 10; line < 50; line++) {
      sticky.typed();
      sticky.moved('a', line);
    }
    await sleep(60);
    assert.deepEqual([now(), state.collected, state.changes], [['first'], 1, 1]);
  });

  it('change in a pause after a jump, and not before', async () => {
    const { state, sticky, now, shows } = setUp(200);
    sticky.moved('a', 10);
    await shows('first');
    state.next = 'second';
    sticky.moved('a', 100);
    for (let i = 0; i < 5; i++) {
      sticky.typed();
      await sleep(10);
      assert.deepEqual(now(), ['first']);
    }
    await shows('second');
    assert.equal(state.changes, 2);
  });

  it('change after another file was saved', async () => {
    const { state, sticky, now, shows } = setUp();
    sticky.moved('a', 10);
    await shows('first');
    state.next = 'second';
    sticky.outdate('a');
    await sleep(60);
    assert.deepEqual(now(), ['first']);
    sticky.outdate('b');
    await shows('second');
  });

  it('are not changed by a collection during which someone typed', async () => {
    const { state, sticky, now, until, shows } = setUp();
    sticky.moved('a', 10);
    await shows('first');
    state.next = 'second';
    sticky.outdate();
    await until(() => state.collected === 2);
    state.next = 'third';
    sticky.typed();
    await shows('third');
    assert.deepEqual([now(), state.changes], [['third'], 2]);
  });

  it('say so only when they differ', async () => {
    const { state, sticky, until, shows } = setUp();
    sticky.moved('a', 10);
    await shows('first');
    sticky.outdate();
    await until(() => state.collected === 2);
    await sleep(20);
    assert.equal(state.changes, 1);
  });
});
