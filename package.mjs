// Packs the extension: node package.mjs [TARGET ...], all targets if none is named. Each
// dist/packages/lckv-code-TARGET.vsix holds the native binding of its own platform and no other.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** VS Code's names of platforms, and the folders of the `webgpu` package with their bindings. */
export const targets = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'darwin-universal',
  'darwin-arm64': 'darwin-universal',
  'win32-x64': 'win32-x64',
  'win32-arm64': 'win32-arm64',
};

export const packageFile = (target) => join('dist', 'packages', `lckv-code-${target}.vsix`);

/** Makes one package of what is built, and returns its path. */
export async function pack(target) {
  const file = packageFile(target);
  const ignoreFile = join('dist', 'packages', `${target}.ignore`);
  const binding = `!node_modules/webgpu/dist/${targets[target]}/**\n`;
  mkdirSync(join('dist', 'packages'), { recursive: true });
  writeFileSync(ignoreFile, readFileSync('.vscodeignore', 'utf8') + binding);
  const vsce = ['node_modules/@vscode/vsce/vsce', 'package', '--target', target];
  vsce.push('--ignoreFile', ignoreFile, '--out', file, '--allow-missing-repository');
  vsce.push(...addresses());
  await promisify(execFile)(process.execPath, vsce);
  return file;
}

/** Where the Marketplace finds the files that README.md links to; known in a workflow only. */
function addresses() {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = process.env;
  if (!server || !repository) return ['--no-rewrite-relative-links'];
  const base = `${server}/${repository}`;
  return ['--baseContentUrl', `${base}/blob/HEAD`, '--baseImagesUrl', `${base}/raw/HEAD`];
}

if (import.meta.main ?? process.argv[1] === import.meta.filename) {
  const named = process.argv.slice(2);
  const unknown = named.filter((target) => !(target in targets));
  if (unknown.length > 0) {
    console.error(
      `No such target: ${unknown.join(' ')}. There are: ${Object.keys(targets).join(' ')}`,
    );
    process.exit(2);
  }
  for (const target of named.length > 0 ? named : Object.keys(targets)) {
    const file = await pack(target);
    console.log(`${file}  ${(statSync(file).size / 1e6).toFixed(1)} MB`);
  }
}
