// Runs the VS Code suite on the built extension: node test/vscode/run.mjs [--electron] [part ...]
// In code-server and a browser, with real keystrokes as well; or in a desktop VS Code, which is
// downloaded unless LCKV_VSCODE names one. Parts are test files (models, generate, ...), pages, and
// installed and walkthrough, which test the installed package; all if none is named. Ends with mocha's
// summary.
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack } from '../../package.mjs';
import { root } from '../setup/system.mjs';
import { freePort, withCodeServer, windowAddress } from './codeServer.mjs';
import { testKeys } from './keys.mjs';
import { testPages } from './pages.mjs';
import { testTrust, TRUST_SETTINGS } from './trust.mjs';
import { testWalkthrough } from './walkthrough.mjs';

const folder = join(root, 'dist', 'vscode-suite');
const workspace = join(folder, 'workspace');
/** One JSON object a line for each finished test and each figure worth a note, then `{"end":true}`. */
const resultsFile = join(folder, 'results.jsonl');
const suite = join(root, 'dist', 'test', 'vscode', 'index.js');
const parts = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const isWanted = (part) => parts.length === 0 || parts.includes(part);
const BROWSER_PARTS = ['pages', 'installed', 'walkthrough'];
const files = parts.filter((part) => !BROWSER_PARTS.includes(part));
const certificate = join(folder, 'hub.crt');
const env = {
  NODE_EXTRA_CA_CERTS: certificate,
  LCKV_TEST_TLS: folder,
  LCKV_TEST_RESULTS: resultsFile,
  LCKV_TEST_FILES: files.join(' '),
  HTTP_PROXY: `http://127.0.0.1:${await freePort()}`, // where proxy.test.ts has one
  NO_PROXY: 'direct.test',
};

const settings = {
  'lckv.maxTokens': 12,
  'lckv.choices': 1, // others take seconds without a GPU
  'lckv.confidence': 0,
  'lckv.generateTokens': 24,
  ...(process.env.LCKV_MODEL ? { 'lckv.model': process.env.LCKV_MODEL } : {}),
  'chat.disableAIFeatures': true,
  'editor.inlineSuggest.enabled': true,
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.suggestOnTriggerCharacters': false,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'files.autoSave': 'off',
  'git.enabled': false,
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'typescript.disableAutomaticTypeAcquisition': true,
  'workbench.startupEditor': 'none',
};

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
cpSync(join(root, 'test', 'vscode', 'workspace'), workspace, { recursive: true });
// The cursor will be at the end of this file, inside a function that has just begun.
const begun = 'export function circumference(circle: Circle): number {\n';
appendFileSync(join(workspace, 'shapes.ts'), `\n/** The distance around a circle. */\n${begun}`);
writeFileSync(resultsFile, '');

const electron = process.argv.includes('--electron') || process.platform !== 'linux';
if (!electron) makeCertificate();
const watch = setInterval(report, 500);
const started = Date.now();
let read = 0;
let shown = 0;
let failures = 0;
let ended = false;

try {
  if (parts.length === 0 || files.length > 0) await runSuite();
  if (!electron && isWanted('pages')) await testPages(join(folder, 'pages'), record);
  if (!electron && isWanted('installed')) await runInstalled();
  if (!electron && isWanted('walkthrough')) await runWalkthrough();
} catch (error) {
  record({ title: 'VS Code runs', error: error.stack });
}
clearInterval(watch);
report();

console.log(`\n  ${shown - failures} passing (${Math.round((Date.now() - started) / 1000)}s)`);
if (failures > 0) console.log(`  ${failures} failing`);
process.exit(failures > 0 ? 1 : 0);

/** A key and a certificate for the https hub of proxy.test.ts, which VS Code is told to believe. */
function makeCertificate() {
  const names = 'subjectAltName=DNS:hub.test,IP:127.0.0.1';
  const subject = ['-subj', '/CN=hub.test', '-addext', names, '-days', '2'];
  const files = ['-keyout', join(folder, 'hub.key'), '-out', certificate];
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  const { status, error, stderr } = spawnSync('openssl', [
    'req',
    '-x509',
    ...key,
    ...subject,
    ...files,
  ]);
  if (status !== 0) throw error ?? new Error(`openssl made no certificate: ${stderr}`);
}

function record(result) {
  appendFileSync(resultsFile, JSON.stringify(result) + '\n');
}

/** Prints the results that have come in since the last call. */
function report() {
  const results = readFileSync(resultsFile, 'utf8').split('\n').slice(0, -1).map(JSON.parse);
  ended = results.some(({ end }) => end);
  for (const { note } of results.slice(read)) if (note) console.log(`      ${note}`);
  read = results.length;
  const tests = results.filter(({ title }) => title);
  for (const { title, ms, error } of tests.slice(shown)) {
    const time = ms > 100 ? ` (${(ms / 1000).toFixed(1)}s)` : '';
    console.log(`    ${error ? '✘' : '✔'} ${title}${time}`);
    if (error) console.log(error.replace(/^/gm, '        '));
    if (error) failures++;
  }
  shown = tests.length;
}

/** The test files, in whatever VS Code there is. */
async function runSuite() {
  if (electron) await runDesktop();
  else await runCodeServer();
  report();
  if (!ended) record({ title: 'the suite runs to its end', error: 'It ended without a summary.' });
}

/** The suite in the extension host of code-server, by VS Code's own test protocol. */
async function runCodeServer() {
  await withCodeServer({ settings, env }, async ({ page, server }) => {
    const remote = (path) => `vscode-remote://${server.authority}${path}`;
    const exit = new Promise((resolve) => {
      page.once('crash', resolve);
      void page.exposeFunction('codeAutomationExit', resolve);
    });
    await page.exposeFunction('codeAutomationLog', () => {});
    const payload = [
      ['extensionDevelopmentPath', remote(root)],
      ['extensionTestsPath', remote(suite.replace(/\.js$/, ''))],
    ];
    await page.goto(windowAddress(server, workspace, payload));
    await exit;
  });
}

/** Real keystrokes, with the extension's own package installed; then a folder that nobody trusts. */
async function runInstalled() {
  const vsix = await pack(`linux-${process.arch}`);
  const installedAt = Date.now();
  await withCodeServer({ settings, vsix }, (vscode) =>
    testKeys({ ...vscode, installedAt }, workspace, record),
  );
  const wary = { ...settings, ...TRUST_SETTINGS };
  await withCodeServer({ settings: wary, vsix, asksTrust: true }, (vscode) =>
    testTrust(vscode, folder, record),
  );
}

/** The walkthrough of the extension's own package, as it is after its installation. */
async function runWalkthrough() {
  const vsix = await pack(`linux-${process.arch}`);
  await withCodeServer({ settings, vsix }, (vscode) => testWalkthrough(vscode, folder, record));
}

/** The suite in a desktop VS Code. */
async function runDesktop() {
  const { runTests } = await import('@vscode/test-electron');
  const userData = join(folder, 'user-data');
  mkdirSync(join(userData, 'User'), { recursive: true });
  writeFileSync(join(userData, 'User', 'settings.json'), JSON.stringify(settings));
  await runTests({
    vscodeExecutablePath: process.env.LCKV_VSCODE,
    extensionDevelopmentPath: root,
    extensionTestsPath: suite,
    extensionTestsEnv: env,
    launchArgs: [workspace, '--disable-extensions', `--user-data-dir=${userData}`],
  }).catch((error) => {
    if (failures === 0) report();
    if (failures === 0) throw error;
  });
}
