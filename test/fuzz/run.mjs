// Fuzzes for longer: npm run fuzz -- SECONDS, from a seed of its own that a failure prints.
import { spawnSync } from 'node:child_process';

const env = {
  ...process.env,
  LCKV_FUZZ_SECONDS: process.argv[2] ?? '600',
  LCKV_SEED: process.env.LCKV_SEED ?? String(Date.now() % 1e9),
};
const args = ['node_modules/mocha/bin/mocha.js', 'dist/test/fuzz/fuzz.test.mjs'];
process.exitCode = spawnSync(process.execPath, args, { env, stdio: 'inherit' }).status ?? 1;
