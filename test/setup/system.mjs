// What the set-up steps share: the repository's root, running commands, and apt.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Absolute path of the repository. */
export const root = join(import.meta.dirname, '..', '..');

/** Says what a set-up step is about to do. */
export const say = (text) => console.log(`setup: ${text}`);

/** Runs a command with its output shown; rejects with the command line when it fails. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`This failed with exit code ${code}: ${[command, ...args].join(' ')}`));
    });
  });
}

/** The first of these programs that is on PATH, as an absolute path. */
export function findProgram(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

/** A browser of the Chromium family, for the VS Code suite. */
export const findBrowser = () =>
  findProgram('chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome');

/** Fields of /etc/os-release, for example `{ ID: 'debian', VERSION_CODENAME: 'bookworm' }`. */
export function distribution() {
  if (!existsSync('/etc/os-release')) return {};
  const lines = readFileSync('/etc/os-release', 'utf8').matchAll(/^(\w+)="?([^"\n]*)"?$/gm);
  return Object.fromEntries([...lines].map(([, key, value]) => [key, value]));
}

/** Runs a command as root: directly, through sudo, or else fails with the line to type. */
export async function runAsRoot(command, args, options = {}) {
  if (process.getuid() === 0) return run(command, args, options);
  if (findProgram('sudo')) return run('sudo', [command, ...args], options);
  throw new Error(`Root is needed and there is no sudo. Run this as root, then try again:
  ${[command, ...args].join(' ')}`);
}

/** The packages among these that dpkg does not hold. */
export function missingPackages(names) {
  const query = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${Status}\n', ...names]);
  const lines = query.stdout?.toString().split('\n') ?? [];
  return names.filter((name) => !lines.includes(`${name} install ok installed`));
}

/** Installs Debian packages, from another suite of the distribution if one is named. */
export async function aptInstall(names, { suite } = {}) {
  if (!findProgram('apt-get')) {
    throw new Error(
      `This step knows Debian and Ubuntu only. Install these by hand: ${names.join(' ')}`,
    );
  }
  say(`installing ${names.join(' ')}${suite ? ` from ${suite}` : ''}`);
  const quiet = ['-q', '-o', 'DPkg::Lock::Timeout=300'];
  const from = suite ? ['-t', suite] : [];
  await runAsRoot('apt-get', ['update', ...quiet]);
  await runAsRoot('env', [
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    'install',
    '-y',
    '--no-install-recommends',
    ...quiet,
    ...from,
    ...names,
  ]);
}
