// Bundles the extension host (cjs), the worker, the command line and benchmarks (esm), and the tests.
import { build, context } from 'esbuild';
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
  loader: { '.wgsl': 'text' },
};

/** Node cannot load the native Dawn binding from a bundle, so `webgpu` stays in node_modules. */
const esm = { ...common, format: 'esm', external: ['webgpu'], outExtension: { '.js': '.mjs' } };

const testFiles = (folder) =>
  readdirSync(join('test', folder))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join('test', folder, name));

const bundles = [
  {
    ...common,
    format: 'cjs',
    external: ['vscode'],
    entryPoints: { extension: 'src/host/main.ts' },
    outdir: 'dist',
  },
  {
    ...esm,
    entryPoints: {
      worker: 'src/worker/main.ts',
      lckv: 'src/cli/main.ts',
    },
    outdir: 'dist',
  },
  {
    ...esm,
    // Benchmarks of the host bring packages in CommonJS.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    entryPoints: { 'bench/bench': 'bench/main.ts' },
    outdir: 'dist',
  },
  {
    ...esm,
    external: ['webgpu', 'esbuild', 'mocha', 'typescript', '@vscode/l10n'],
    entryPoints: [
      ...testFiles('unit'),
      ...testFiles('gpu'),
      ...testFiles('faults'),
      ...testFiles('fuzz'),
      ...testFiles('soak'),
      'test/soak/main.ts',
      ...testFiles('network'),
      'test/network/preload.ts',
    ],
    outbase: 'test',
    outdir: 'dist/test',
  },
  {
    ...common,
    format: 'cjs',
    external: ['vscode', 'mocha'],
    entryPoints: [...testFiles('vscode'), 'test/vscode/index.ts', 'test/vscode/infoPages.ts'],
    outbase: 'test',
    outdir: 'dist/test',
  },
];

/** The parser and the grammars that src/syntax/grammars.ts names; the others are not shipped. */
function copyGrammars() {
  const target = join('dist', 'grammars');
  const folder = join('node_modules', '@vscode', 'tree-sitter-wasm', 'wasm');
  const unused = /-(?:ini|regex)\.wasm$/;
  const files = [
    ...readdirSync(folder)
      .filter((name) => /^tree-sitter-.*\.wasm$/.test(name) && !unused.test(name))
      .map((name) => join(folder, name)),
    join('node_modules', 'tree-sitter-html', 'tree-sitter-html.wasm'),
    join('node_modules', 'web-tree-sitter', 'web-tree-sitter.wasm'),
  ];
  mkdirSync(target, { recursive: true });
  for (const file of files) copyFileSync(file, join(target, basename(file)));
}

copyGrammars();
if (process.argv.includes('--watch')) {
  for (const options of bundles) await (await context(options)).watch();
} else {
  await Promise.all(bundles.map((options) => build(options)));
}
