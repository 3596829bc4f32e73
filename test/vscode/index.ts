// VS Code loads this file into its extension host and calls `run`.
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Mocha from 'mocha';

/** Runs the suite and writes each result to the file that LCKV_TEST_RESULTS names. */
export async function run(): Promise<void> {
  const file = process.env.LCKV_TEST_RESULTS;
  const record = (result: object) => {
    if (file) appendFileSync(file, JSON.stringify(result) + '\n');
  };
  const mocha = new Mocha({ ui: 'bdd', timeout: 180_000, color: false });
  const wanted = process.env.LCKV_TEST_FILES?.split(' ').filter(Boolean) ?? [];
  for (const name of readdirSync(__dirname)) {
    const [part, ...rest] = name.split('.');
    const isWanted = wanted.length === 0 || wanted.includes(part);
    if (rest.join('.') === 'test.js' && isWanted) mocha.addFile(join(__dirname, name));
  }

  const failures = await new Promise<number>((resolve) => {
    const runner = mocha.run(resolve);
    runner.on('pass', (test) => record({ title: test.title, ms: test.duration }));
    runner.on('fail', (test, error: Error) =>
      record({ title: test.title, ms: test.duration, error: error.stack ?? error.message }),
    );
  });
  record({ end: true });
  if (failures > 0) throw new Error(`${failures} tests failed.`);
}
