/**
 * `npm run bench -- NAME [options]`: a table for people, then one line of JSON for each row.
 */
import { confidence } from './confidence';
import { decode } from './decode';
import { edit } from './edit';
import { headline } from './headline';
import { kernels } from './kernels';
import { load } from './load';
import { memory } from './memory';
import { peers } from './peers';
import { plot } from './plot';
import { recall } from './recall';
import { replay } from './replay';
import { resident } from './resident';
import { shapes } from './shapes';
import { sweep } from './sweep';
import { tiles } from './tiles';
import { trim } from './trim';

const benchmarks = new Map<string, (args: string[]) => Promise<void> | void>([
  ['confidence', confidence],
  ['decode', decode],
  ['edit', edit],
  ['headline', headline],
  ['kernels', kernels],
  ['load', load],
  ['memory', memory],
  ['peers', peers],
  ['plot', plot],
  ['recall', recall],
  ['replay', replay],
  ['resident', resident],
  ['shapes', shapes],
  ['sweep', sweep],
  ['tiles', tiles],
  ['trim', trim],
]);

const [name = '', ...args] = process.argv.slice(2);
const benchmark = benchmarks.get(name);
if (benchmark) await benchmark(args);
else console.error(`usage: npm run bench -- ${[...benchmarks.keys()].join(' | ')} [options]`);
// Dawn keeps Node alive, so the end must be said; but only when all is written.
process.stdout.write('', () => process.exit(benchmark ? 0 : 2));
