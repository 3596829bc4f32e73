// package.json as VS Code shows it in English.
import { readFileSync } from 'node:fs';

const read = (path: string) => readFileSync(path, 'utf8');

/** The manifest with its texts in place of their keys. */
export function readManifest<T>(): T {
  const texts = JSON.parse(read('package.nls.json')) as Record<string, string>;
  return JSON.parse(read('package.json'), (_, value: unknown) =>
    typeof value === 'string' && /^%.*%$/.test(value) ? texts[value.slice(1, -1)] : value,
  ) as T;
}
