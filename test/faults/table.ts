/** The table of faults that a run makes: printed, and kept where LCKV_FAULTS says. */
import { writeFileSync } from 'node:fs';

export interface Row {
  fault: string;
  injected: string;
  happened: string;
  /** Milliseconds from the fault to the next completion, where there is one. */
  backMs?: number;
  /** The longest time that the host could not react, in milliseconds. */
  blockedMs?: number;
}

const rows: Row[] = [];

export const addRow = (row: Row) => rows.push(row);

/** Prints the table and writes it to docs/FAULTS.md or wherever it is wanted. */
export function publish(): void {
  const cells = rows.map(({ fault, injected, happened, backMs, blockedMs }) => [
    ...[fault, injected, happened],
    ...[
      backMs === undefined ? '' : `${(backMs / 1000).toFixed(1)} s`,
      blockedMs === undefined ? '' : `${blockedMs} ms`,
    ],
  ]);
  const head = ['fault', 'injected', 'what happened', 'completes again after', 'host blocked'];
  const lines = [head, head.map(() => '---'), ...cells].map((row) => `| ${row.join(' | ')} |`);
  process.stdout.write(`\n${lines.join('\n')}\n\n`);
  const file = process.env.LCKV_FAULTS;
  if (!file) return;
  writeFileSync(
    file,
    `# Faults

What was done to a real worker on a real device, and what came of it. Made by a test run:
\`LCKV_FAULTS=docs/FAULTS.md node test/run.mjs build faults\` (${process.platform}, software adapter,
two busy cores). "Host blocked" is the longest time for which the process of the editor's extensions
could not react, measured by its event loop; times for a restart include loading the model.

${lines.join('\n')}
`,
  );
}
