import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';

/** What the files of a room may import besides each other; `type` where only types. */
interface Room {
  /** Other rooms or single files, without extension. */
  imports: string[];
  /** The same, for `import type` only. */
  types?: string[];
  packages: RegExp;
}

const NODE = 'node:[\\w/]+';
const rooms: Record<string, Room> = {
  'src/sentence': { imports: [], packages: /^$/ },
  'src/protocol': { imports: ['src/sentence'], packages: /^$/ },
  'src/text': { imports: [], packages: /^$/ },
  'src/syntax': {
    imports: ['src/text'],
    packages: new RegExp(`^(${NODE}|web-tree-sitter)$`),
  },
  'src/hub': {
    imports: ['src/sentence', 'src/model/config', 'src/model/fields'],
    packages: new RegExp(`^${NODE}$`),
  },
  'src/model': {
    imports: ['src/sentence'],
    packages: new RegExp(`^(${NODE}|@huggingface/tokenizers)$`),
  },
  'src/engine': {
    imports: ['src/sentence', 'shaders'],
    types: ['src/protocol', 'src/model/config', 'src/model/source'],
    packages: /^webgpu$/,
  },
  'src/worker': {
    imports: ['src/sentence', 'src/protocol', 'src/engine', 'src/model', 'src/text'],
    packages: new RegExp(`^${NODE}$`),
  },
  'src/host/worker': {
    imports: ['src/sentence', 'src/protocol'],
    packages: new RegExp(`^(${NODE}|@vscode/l10n)$`),
  },
  'src/host/models': {
    imports: [
      'src/sentence',
      'src/hub',
      'models',
      'src/host/worker',
      'src/host/settings',
      'src/host/configure',
      'src/host/quantity',
    ],
    packages: new RegExp(`^(${NODE}|vscode|@vscode/l10n)$`),
  },
  'src/host/suggest': {
    imports: ['src/protocol', 'src/text', 'src/syntax', 'src/host/settings'],
    packages: new RegExp(`^(${NODE}|vscode|@vscode/l10n)$`),
  },
  'src/host/generate': { imports: ['src/protocol', 'src/text'], packages: /^vscode$/ },
  'src/host/context': {
    imports: ['src/protocol', 'src/text'],
    packages: new RegExp(`^(${NODE}|vscode)$`),
  },
  'src/host/views': {
    imports: ['src/protocol', 'src/host/quantity'],
    packages: new RegExp(`^(${NODE}|vscode|@vscode/l10n)$`),
  },
  'src/host/status': {
    imports: ['src/sentence', 'src/protocol', 'src/host/worker', 'src/host/suggest'],
    packages: /^(vscode|@vscode\/l10n)$/,
  },
  'src/host': {
    imports: ['src/protocol', 'src/text', 'src/syntax', 'src/hub', 'models'],
    packages: new RegExp(`^(${NODE}|vscode|@vscode/l10n)$`),
  },
  'src/cli': {
    imports: ['src/protocol', 'src/engine', 'src/model', 'src/text', 'src/worker'],
    packages: new RegExp(`^${NODE}$`),
  },
};

/** Words that only some files may use, in code. */
const reserved: { what: string; word: RegExp; allowed: RegExp }[] = [
  { what: 'a GPU type', word: /\bGPU[A-Z]\w*/, allowed: /^src\/engine\// },
  {
    what: 'the network',
    word: /\bfetch\(|\bnode:(https?|net|tls|dgram)\b/,
    allowed: /^src\/hub\/hub$/,
  },
  {
    what: "the process's channel",
    word: /\bprocess\.(send|disconnect|on(ce)?\(\s*'(message|disconnect)')/,
    allowed: /^src\/worker\/main$/,
  },
];

interface Import {
  to: string;
  typeOnly: boolean;
}

/** Files by path without extension, as `src/model/config`, with their text. */
type Sources = ReadonlyMap<string, string>;

function withoutComments(text: string): string {
  return text.replace(/^[ \t]*\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/gm, '');
}

function importsOf(file: string, text: string): Import[] {
  const statements =
    /\b(?:import|export)\b(\s+type\b)?(?:[\s\w{},*]+?\bfrom)?\s*['"]([^'"]+)['"]|\b(?:import|require)\s*\(\s*['"`]([^'"`]+)/g;
  return [...withoutComments(text).matchAll(statements)].map(([, type, named, dynamic]) => {
    const to = named ?? dynamic;
    return {
      to: to.startsWith('.') ? join(dirname(file), to) : to,
      typeOnly: type !== undefined,
    };
  });
}

const within = (file: string, place: string) => file === place || file.startsWith(`${place}/`);

/** Every broken rule, as a sentence. */
function violations(sources: Sources): string[] {
  const found: string[] = [];
  for (const [file, text] of sources) {
    const [name, room] = Object.entries(rooms).find(([place]) => within(file, place)) ?? [];
    if (!name || !room) {
      found.push(`${file} is in no room`);
      continue;
    }
    for (const { to, typeOnly } of importsOf(file, text)) {
      const local = /^(src|shaders|models|test|bench|training)\//.test(to) || to.startsWith('..');
      const places = [name, ...room.imports, ...(typeOnly ? (room.types ?? []) : [])];
      const fits = local ? places.some((place) => within(to, place)) : room.packages.test(to);
      if (!fits) found.push(`${file} imports ${to}${typeOnly ? ' (types)' : ''}`);
    }
    for (const { what, word, allowed } of reserved) {
      const use = word.exec(withoutComments(text));
      if (use && !allowed.test(file)) found.push(`${file} uses ${what}: ${use[0]}`);
    }
  }
  return [...found, ...cycles(sources)];
}

/** Files that import each other in a circle, by types too. */
function cycles(sources: Sources): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: string[]) => {
    const start = path.indexOf(file);
    if (start >= 0) found.push(`a cycle: ${[...path.slice(start), file].join(' -> ')}`);
    if (start >= 0 || done.has(file)) return;
    for (const { to } of importsOf(file, sources.get(file) ?? '')) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
  return found;
}

function readSources(): Sources {
  const paths = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .map((path) => join('src', path.replaceAll('\\', '/')))
    .filter((path) => path.endsWith('.ts'));
  return new Map(paths.map((path) => [path.slice(0, -3), readFileSync(path, 'utf8')]));
}

describe('architecture', () => {
  it('keeps to its rules', () => {
    const sources = readSources();
    assert.ok(sources.size > 20);
    assert.deepEqual(violations(sources), []);
  });

  describe('notices', () => {
    const planted: [string, string, string][] = [
      ['src/host/a', "import { x } from '../worker/session';", 'imports src/worker/session'],
      ['src/host/a', "export { x } from '../model/config';", 'imports src/model/config'],
      ['src/host/a', "import '../cli/main';", 'imports src/cli/main'],
      ['src/host/worker/a', "import { x } from '../status/menu';", 'imports src/host/status/menu'],
      [
        'src/host/suggest/a',
        "import { x } from '../worker/relay';",
        'imports src/host/worker/relay',
      ],
      ['src/host/status/a', "import { x } from '../main';", 'imports src/host/main'],
      ['src/worker/a', "import { x } from '../host/status';", 'imports src/host/status'],
      ['src/engine/a', "import { x } from '../text/trim';", 'imports src/text/trim'],
      ['src/worker/a', "import * as vscode from 'vscode';", 'imports vscode'],
      ['src/engine/a', "import type { x } from '../worker/session';", 'imports src/worker/session'],
      ['src/engine/a', "import { x } from '../model/config';", 'imports src/model/config'],
      ['src/engine/a', "import { type x } from '../protocol';", 'imports src/protocol'],
      ['src/engine/a', "import type { x } from '../model/prompt';", 'imports src/model/prompt'],
      ['src/engine/a', "import { readFile } from 'node:fs';", 'imports node:fs'],
      ['src/model/a', "import type { x } from '../protocol';", 'imports src/protocol'],
      ['src/model/a', "const x = await import('../engine/gpu');", 'imports src/engine/gpu'],
      ['src/model/a', "import { create } from 'webgpu';", 'imports webgpu'],
      ['src/text/a', "import { x } from '../protocol';", 'imports src/protocol'],
      ['src/text/a', "import { join } from 'node:path';", 'imports node:path'],
      ['src/cli/a', "import { x } from '../host/settings';", 'imports src/host/settings'],
      ['src/cli/a', "import {\n  x,\n} from '../../test/reference';", 'imports test/reference'],
      ['src/cli/a', "const x = require('../../bench/decode');", 'imports bench/decode'],
      ['src/protocol', "import type { x } from './model/config';", 'imports src/model/config'],
      ['src/worker/a', 'let device: GPUDevice;', 'uses a GPU type: GPUDevice'],
      ['src/worker/a', 'process.send?.(1);', "uses the process's channel"],
      ['src/cli/a', "process.on('message', f);", "uses the process's channel"],
      ['src/host/a', 'await fetch(url);', 'uses the network: fetch('],
      ['src/hub/a', "import { get } from 'node:https';", 'uses the network: node:https'],
      ['src/hub/a', "import { x } from '../model/tokenizer';", 'imports src/model/tokenizer'],
      ['src/syntax/a', "import { x } from '../protocol';", 'imports src/protocol'],
      ['src/text/a', "import { Parser } from 'web-tree-sitter';", 'imports web-tree-sitter'],
      ['src/other/a', '', 'is in no room'],
      ['src/text/a', "import { a } from './a';", 'src/text/a -> src/text/a'],
    ];
    for (const [file, text, sentence] of planted) {
      it(`${file}: ${JSON.stringify(text)}`, () => {
        const found = violations(new Map([[file, text]]));
        assert.equal(found.length, 1, JSON.stringify(found));
        assert.ok(found[0].includes(sentence), found[0]);
      });
    }

    it('a cycle over several files', () => {
      const found = violations(
        new Map([
          ['src/model/a', "import { b } from './b';"],
          ['src/model/b', "import { c } from './c';"],
          ['src/model/c', "import type { a } from './a';"],
        ]),
      );
      assert.deepEqual(found, [
        'a cycle: src/model/a -> src/model/b -> src/model/c -> src/model/a',
      ]);
    });
  });

  it('allows what is right', () => {
    const right = new Map([
      [
        'src/engine/a',
        "import type { x } from '../model/config';\nimport y from '../../shaders/y.wgsl';",
      ],
      [
        'src/model/b',
        "// like `import { x } from '../engine/gpu'`, never GPUDevice\nimport { y } from './c';",
      ],
      ['src/worker/main', "process.on('message', () => process.send?.(1));"],
    ]);
    assert.deepEqual(violations(right), []);
  });
});
