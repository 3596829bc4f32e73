// A VS Code with no display: code-server, and a browser to open its window in.
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { findBrowser } from '../setup/system.mjs';
import { codeServer as programs } from '../setup/vscode.mjs';

export const BROWSER_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Starts a server with these user settings and this .vsix installed, opens a browser page, and ends
 * both after `use`. Every folder is trusted unless `asksTrust`.
 */
export async function withCodeServer({ settings, env = {}, vsix, asksTrust, viewport }, use) {
  const browserPath = findBrowser();
  if (!existsSync(programs.entry) || !browserPath) {
    throw new Error('code-server or a browser is missing. Run: node test/setup/setup.mjs vscode');
  }
  const server = await startServer(settings, env, vsix, asksTrust);
  let browser;
  try {
    browser = await chromium.launch({ executablePath: browserPath, args: BROWSER_FLAGS });
    const page = await browser.newPage({ viewport: viewport ?? { width: 1280, height: 720 } });
    return await use({ page, server });
  } catch (error) {
    console.error(readFileSync(join(server.folder, 'server.log'), 'utf8').slice(-3000));
    throw error;
  } finally {
    await browser?.close();
    await server.stop();
  }
}

/** The address of a window on a folder; `payload` are pairs that only VS Code's own tests use. */
export function windowAddress({ authority }, folder, payload) {
  const address = new URL(`http://${authority}/`);
  address.searchParams.set('folder', folder);
  address.searchParams.set('payload', JSON.stringify(payload));
  return address.toString();
}

async function startServer(settings, env, vsix, asksTrust) {
  const folder = mkdtempSync(join(tmpdir(), 'lckv-vscode-'));
  for (const name of ['extensions', 'tmp']) mkdirSync(join(folder, name));
  // Settings of the scope `machine` are read from the second file only.
  for (const name of ['User', 'Machine']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'settings.json'), JSON.stringify(settings));
  }
  writeFileSync(join(folder, 'config.yaml'), ''); // or it writes one into the home folder
  const log = openSync(join(folder, 'server.log'), 'w');
  const authority = `127.0.0.1:${await freePort()}`;
  const args = ['--config', join(folder, 'config.yaml'), '--user-data-dir', folder];
  args.push('--extensions-dir', join(folder, 'extensions'));
  if (vsix) install(vsix, args);
  args.push('--bind-addr', authority, '--auth', 'none', '--ignore-last-opened');
  args.push('--disable-telemetry', '--disable-update-check');
  if (!asksTrust) args.push('--disable-workspace-trust');
  args.push('--disable-getting-started-override', '--disable-proxy');
  // Without the driver, the window silently ignores where the extension and its tests are.
  args.push('--vscode-option', 'enable-smoke-test-driver');
  const child = spawn(programs.node, [programs.entry, ...args], {
    stdio: ['ignore', log, log],
    detached: true, // a process group of its own, to be ended as one
    env: {
      ...process.env,
      TMPDIR: join(folder, 'tmp'),
      EXTENSIONS_GALLERY: '{"serviceUrl":""}', // asks nothing outside
      ...env,
    },
  });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const stop = async () => {
    if (!hasEnded()) process.kill(-child.pid, 'SIGTERM');
    for (let waited = 0; !hasEnded() && waited < 5000; waited += 50) await sleep(50);
    if (!hasEnded()) process.kill(-child.pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  for (const end = Date.now() + 60_000; ; await sleep(100)) {
    const answer = await fetch(`http://${authority}/healthz`).catch(() => undefined);
    if (answer?.ok) return { authority, folder, stop };
    if (!hasEnded() && Date.now() < end) continue;
    const text = readFileSync(join(folder, 'server.log'), 'utf8');
    await stop();
    throw new Error(`code-server did not start:\n${text}`);
  }
}

/** Installs an extension as a user does; what goes wrong is thrown. */
function install(vsix, args) {
  const command = [programs.entry, ...args, '--install-extension', vsix];
  const { status, stdout, stderr } = spawnSync(programs.node, command, { encoding: 'utf8' });
  if (status !== 0 || !/successfully installed/.test(stdout)) {
    throw new Error(`${vsix} was not installed:\n${stdout}${stderr}`);
  }
}

/** A port that nobody listens at. */
export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
