// The project's own npm packages, exactly as package-lock.json has them.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, say } from './system.mjs';

const lock = join(root, 'package-lock.json');
/** A copy of the lock file that node_modules was installed from. */
const stamp = join(root, 'node_modules', '.installed-lock.json');

/** Runs `npm ci` unless node_modules already matches the lock file. */
export async function packages() {
  const wanted = readFileSync(lock, 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say('installing npm packages');
  await run('npm', ['ci', '--no-audit', '--no-fund'], { shell: process.platform === 'win32' });
  writeFileSync(stamp, wanted);
}
