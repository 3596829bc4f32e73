// Runs the project's checks and tests: node test/run.mjs [stage ...], all of them if none is named.
// Goes on after a failing stage; the last line says how many tests passed and failed.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const npm = (script) => ['npm', 'run', '--silent', script];
const node = (...args) => [process.execPath, ...args];
const mochaOf = (...files) => node('node_modules/mocha/bin/mocha.js', ...files);
const mocha = (folder) => () => mochaOf(...bundles(folder));

/** `counts`: the stage prints mocha's summary; otherwise its exit code is one test or none. */
const stages = {
  check: { command: () => npm('check'), tests: 1, minutes: 10 },
  lint: { command: () => npm('lint'), tests: 1, minutes: 10 },
  build: { command: () => npm('build'), tests: 0, minutes: 5 },
  unit: { command: mocha('unit'), counts: true, minutes: 10 },
  gpu: { command: mocha('gpu'), counts: true, minutes: 30 },
  fuzz: { command: mocha('fuzz'), counts: true, minutes: 10 },
  faults: { command: mocha('faults'), counts: true, minutes: 10 },
  network: { command: mocha('network'), counts: true, minutes: 10 },
  soak: { command: mocha('soak'), counts: true, minutes: 10 },
  package: {
    command: () => mochaOf('test/package/package.test.mjs'),
    counts: true,
    minutes: 10,
  },
  vscode: { command: () => node('test/vscode/run.mjs'), counts: true, minutes: 20 },
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(stages);
const unknown = names.filter((name) => !(name in stages));
if (unknown.length > 0) {
  console.error(`No such stage: ${unknown.join(' ')}. There are: ${Object.keys(stages).join(' ')}`);
  process.exit(2);
}

// What a failed build leaves must not be tested in place of what it should have made.
if (names.includes('build')) rmSync(join(root, 'dist', 'test'), { recursive: true, force: true });

const rows = [];
for (const name of names) rows.push({ stage: name, ...(await runStage(name)) });

console.log('\n');
console.table(Object.fromEntries(rows.map(({ stage, ...row }) => [stage, row])));
const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
const skipped = total('skipped') > 0 ? `, ${total('skipped')} skipped` : '';
process.exitCode = total('failed') > 0 ? 1 : 0;
console.log(`${total('passed')} passed, ${total('failed')} failed${skipped}`);

/** Runs one stage to its end and counts its tests; a stage that breaks is one failure more. */
async function runStage(name) {
  const { command, tests = 0, counts = false, minutes } = stages[name];
  console.log(`\n── ${name} ${'─'.repeat(70 - name.length)}`);
  const started = Date.now();
  const { code, output, timedOut } = await execute(command(), minutes * 60_000);
  const seconds = Math.round((Date.now() - started) / 100) / 10;

  const count = (word) =>
    counts ? Number(output.match(new RegExp(`^ *(\\d+) ${word}\\b`, 'm'))?.[1] ?? 0) : 0;
  const [passing, failing, skipped] = [count('passing'), count('failing'), count('pending')];
  let note = '';
  if (timedOut) note = `stopped after ${minutes} minutes`;
  else if (counts && passing + failing === 0) note = 'ran no tests';
  else if (code !== 0) note = `exit code ${code}`;
  return {
    passed: note && !counts ? 0 : passing + tests,
    failed: failing > 0 ? failing : note ? 1 : 0,
    skipped,
    seconds,
    note,
  };
}

/** Runs a command, shows its output as it comes and returns it; ends its whole group on time-out. */
function execute([program, ...args], timeoutMs) {
  return new Promise((resolve) => {
    const windows = process.platform === 'win32';
    const child = spawn(program, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: !windows,
      shell: windows,
      env: { ...process.env, NO_COLOR: '1' },
    });
    let output = '';
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      if (windows) child.kill();
      else process.kill(-child.pid, 'SIGKILL');
    }, timeoutMs);
    child.stdout.on('data', (data) => {
      output += data;
      process.stdout.write(data);
    });
    child.stderr.on('data', (data) => process.stderr.write(data));
    const finish = (code) => {
      clearTimeout(timer);
      resolve({ code, output, timedOut });
    };
    child.once('error', (error) => {
      console.error(error.message);
      finish(1);
    });
    child.once('close', finish);
  });
}

/** The bundled tests of one folder; without any, mocha fails and the stage says so. */
function bundles(folder) {
  const path = join('dist', 'test', folder);
  if (!existsSync(join(root, path))) return [join(path, 'nothing was built')];
  return readdirSync(join(root, path))
    .filter((name) => name.endsWith('.test.mjs'))
    .sort()
    .map((name) => join(path, name));
}
