// Asks the registry for known holes in what ships: node test/package/audit.mjs
// Fails on a hole; a registry that does not answer is said and passed over.
import { spawnSync } from 'node:child_process';

const args = ['audit', '--omit', 'dev', '--audit-level', 'moderate', '--json', '--audit=true'];
const { stdout } = spawnSync('npm', args, {
  encoding: 'utf8',
  shell: process.platform === 'win32',
});
let report = {};
try {
  report = JSON.parse(stdout);
} catch {
  // No JSON is no answer.
}
const counts = report.metadata?.vulnerabilities;
if (!counts) {
  console.log(`audit: no answer (${report.message ?? 'no report'})`);
} else {
  console.log(
    `audit: ${counts.total} known holes in ${report.metadata.dependencies.prod} packages`,
  );
  for (const { name, severity, range } of Object.values(report.vulnerabilities))
    console.log(`  ${name} ${range}: ${severity}`);
  process.exitCode = counts.total > 0 ? 1 : 0;
}
