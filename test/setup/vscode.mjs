// A real VS Code with no display: code-server (the workbench and the Node extension host of
// VS Code, as an npm package) and a browser to open it in. 2.5 minutes on two cores, 800 MB.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import {
  aptInstall,
  findBrowser,
  findProgram,
  missingPackages,
  root,
  run,
  say,
} from './system.mjs';

/** code-server 4.139 is VS Code 1.139; its native parts are built for this Node. */
const versions = { 'code-server': '4.139.1', [`node-linux-${process.arch}`]: '24.21.0' };

/** To build code-server's native parts. */
const buildTools = ['build-essential', 'python3', 'pkg-config', 'libkrb5-dev'];

const folder = join(root, '.vscode-test', 'code-server');
const stamp = join(folder, 'installed.json');

/** Where the suite finds the programs that this step installs. */
export const codeServer = {
  node: join(folder, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node'),
  entry: join(folder, 'node_modules', 'code-server', 'out', 'node', 'entry.js'),
};

/** Installs a browser and code-server; on other systems the suite uses a desktop VS Code. */
export async function vscode() {
  if (process.platform !== 'linux') return say('VS Code suite: uses a desktop VS Code here');
  const installed = existsSync(stamp) && readFileSync(stamp, 'utf8') === JSON.stringify(versions);
  const missing = installed ? [] : missingPackages(buildTools);
  if (!findBrowser()) missing.push('chromium');
  if (!findProgram('openssl')) missing.push('openssl'); // the suite makes a certificate
  if (missing.length > 0) await aptInstall(missing);
  if (installed) return;

  say('installing code-server into .vscode-test; this takes a few minutes');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const names = Object.keys(versions);
  writeFileSync(
    join(folder, 'package.json'),
    // Newer versions of npm run install scripts only where they are allowed by name.
    JSON.stringify({ private: true, allowScripts: { 'code-server': true } }),
  );
  const install = (name, env) =>
    run(
      'npm',
      ['install', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${versions[name]}`],
      {
        cwd: folder,
        env: { ...process.env, ...env },
      },
    );
  await install(names[1]);
  const node = join(folder, 'node_modules', names[1]);
  await install(names[0], {
    PATH: join(node, 'bin') + delimiter + process.env.PATH,
    npm_config_nodedir: node, // headers for node-gyp, so that it downloads none
    npm_config_user_agent: undefined, // under `npm test` it would tell of the outer Node
  });
  writeFileSync(stamp, JSON.stringify(versions));
}
