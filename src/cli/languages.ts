/**
 * File names to VS Code's language ids, for the languages the bundled model was trained on.
 */
import { extname } from 'node:path';

const extensions: Readonly<Record<string, string>> = {
  typescript: '.ts .mts .cts',
  typescriptreact: '.tsx',
  javascript: '.js .mjs .cjs',
  javascriptreact: '.jsx',
  python: '.py .pyi',
  go: '.go',
  rust: '.rs',
  java: '.java',
  c: '.c .h',
  cpp: '.cc .cpp .cxx .hpp .hh',
  css: '.css',
  scss: '.scss',
  less: '.less',
  html: '.html',
  vue: '.vue',
  svelte: '.svelte',
  json: '.json',
  markdown: '.md',
  yaml: '.yaml .yml',
  toml: '.toml',
  shellscript: '.sh .bash',
  sql: '.sql',
  glsl: '.glsl',
  wgsl: '.wgsl',
};

/** The language id of a file by its extension; `plaintext` when it is not known. */
export function languageOf(path: string): string {
  const extension = extname(path).toLowerCase();
  const found = Object.entries(extensions).find(
    ([, list]) => extension !== '' && list.split(' ').includes(extension),
  );
  return found?.[0] ?? 'plaintext';
}
