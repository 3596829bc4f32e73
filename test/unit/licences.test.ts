import { strict as assert } from 'node:assert';
import { existsSync, readFileSync } from 'node:fs';

const SHIPPED = ['dist/extension.js', 'dist/worker.mjs', 'dist/lckv.mjs'];
/** How NOTICE spells a package's `license`. */
const SPELLING: Record<string, string> = {
  MIT: 'MIT',
  ISC: 'ISC',
  'Apache-2.0': 'Apache License 2.0',
  'BSD-3-Clause': 'BSD 3-Clause',
};

interface Package {
  license: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as unknown;

const packageIn = (path: string) =>
  /.*node_modules\/((?:@[^/]+\/)?[^/*]+)/.exec(path.replaceAll('\\', '/'))?.[1];

/** Packages whose code is in a bundle, or which .vscodeignore lets in whole. */
function shippedPackages(): string[] {
  const bundled = SHIPPED.flatMap(
    (file) => (readJson(`${file}.map`) as { sources: string[] }).sources,
  );
  const rules = readFileSync('.vscodeignore', 'utf8').split('\n');
  const paths = [...bundled, ...rules.filter((rule) => rule.startsWith('!'))];
  return [...new Set(paths.map(packageIn).filter((name) => name !== undefined))];
}

/** The entry of each package in NOTICE, with the lines that belong to it. */
function noticeEntries(): Map<string, string> {
  const entries = readFileSync('NOTICE', 'utf8').split(/^- /m).slice(1);
  return new Map(entries.map((entry) => [entry.split(/[ ,:]/, 1)[0], entry]));
}

describe('licences', () => {
  it('NOTICE names every package that ships, with its licence', () => {
    const shipped = shippedPackages();
    assert.ok(shipped.includes('webgpu') && shipped.includes('@huggingface/tokenizers'));
    for (const name of shipped) {
      const { license } = readJson(`node_modules/${name}/package.json`) as Package;
      const entry = noticeEntries().get(name);
      assert.ok(entry, `${name} ships, but NOTICE has no entry "- ${name}"`);
      assert.ok(SPELLING[license], `${name}: ${license} is a licence that nobody has looked at`);
      assert.ok(entry.includes(SPELLING[license]), `NOTICE: ${name} is under ${license}`);
    }
  });

  it('names files of licences that are there', () => {
    const files = [...readFileSync('NOTICE', 'utf8').matchAll(/node_modules\/[\w@./-]+\w/g)];
    assert.ok(files.length >= 2);
    const rules = readFileSync('.vscodeignore', 'utf8').split('\n');
    for (const [file] of files) {
      assert.ok(existsSync(file), file);
      assert.ok(rules.includes(`!${file}`), `${file} does not ship`);
    }
  });

  it('depends on exact versions only', () => {
    const { dependencies, devDependencies } = readJson('package.json') as Package;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
      assert.match(version, /^\d+\.\d+\.\d+$/, name);
  });
});
