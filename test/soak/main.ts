// npm run soak -- [EDITS]: the whole soak, 20,000 edits by default; a row for each sample, then the
// verdict. LCKV_SOAK names a file for the plot.
import { writeFileSync } from 'node:fs';
import { complaints, compare, table } from './judge';
import { plot } from './plot';
import { soak } from './soak';

const edits = Number(process.argv[2] ?? 20_000);
const say = (text: string) => process.stdout.write(`${text}\n`);
say(table.head);
const samples = await soak({
  edits,
  every: Math.max(1, Math.round(edits / 40)),
  onSample: (sample) => say(table.row(sample)),
});
for (const { what, change } of compare(samples)) say(`${what}: ${(change * 100).toFixed(1)} %`);
const wrong = complaints(samples);
say(wrong.length > 0 ? wrong.join('\n') : 'Nothing grew.');
if (process.env.LCKV_SOAK) writeFileSync(process.env.LCKV_SOAK, plot(samples));
process.exit(wrong.length > 0 ? 1 : 0);
