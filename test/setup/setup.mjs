// Prepares a fresh clone: node test/setup/setup.mjs [packages] [gpu] [vscode]
// Each step first looks whether its work is done, so a second run takes about a second.
import { gpu } from './gpu.mjs';
import { packages } from './packages.mjs';
import { vscode } from './vscode.mjs';

const steps = { packages, gpu, vscode };
const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in steps));
if (names.length === 0 || unknown.length > 0) {
  console.error(`Usage: node test/setup/setup.mjs ${Object.keys(steps).join(' | ')} ...`);
  process.exit(2);
}

try {
  for (const name of names) await steps[name]();
} catch (error) {
  console.error(`setup: ${error.message}`);
  process.exitCode = 1;
}
