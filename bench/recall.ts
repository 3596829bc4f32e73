/**
 * `recall`: how long it takes to look up what was completed, by the size of the document. A `hit` is a
 * key of what is shown, a `miss` another key, `elsewhere` a key after an edit at the document's start.
 */
import { parseArgs } from 'node:util';
import { Memory } from '../src/host/suggest/memory';
import type { Place } from '../src/host/suggest/place';
import { quantile, report, round } from './report';

const CHARACTERS = [20_000, 200_000, 2_000_000];
const TRIES = 200;

/** Runs the benchmark. */
export function recall(args: string[]): void {
  const { values } = parseArgs({
    args,
    options: { entries: { type: 'string', default: '200' } },
  });
  const rows = CHARACTERS.map((characters) => {
    const document = 'const value = compute(input);\n'.repeat(characters / 30);
    // Places within one line's typing, in the middle of the document.
    const middle = document.length / 2;
    const typed = 'const other = compute(value, input, options);\n'.repeat(5);
    const at = (index: number, more = ''): Place => ({
      uri: 'file:///a.ts',
      path: 'a.ts',
      language: 'typescript',
      // Joined, as an editor tells its text anew for each question.
      before: [document.slice(0, middle), typed.slice(0, index), more].join(''),
      after: ['\n', document.slice(middle)].join(''),
    });
    const memory = new Memory();
    for (let i = 0; i < Number(values.entries); i++) {
      const insert = typed.slice(i, i + 60);
      memory.put(at(i), { trimmed: { insert, replace: 0 }, lack: 'trimmed' });
    }
    const last = Number(values.entries) - 1;
    const hit = at(last, typed.slice(last, last + 3));
    const miss = at(last, '#');
    const elsewhere = { ...hit, before: `#${hit.before.slice(1)}` };
    const row = { characters, kept: memory.size };
    for (const [name, place] of Object.entries({ hit, miss, elsewhere })) {
      const times = Array.from({ length: TRIES }, () => {
        const begin = performance.now();
        memory.recall(place);
        return performance.now() - begin;
      });
      Object.assign(row, { [`${name}Ms`]: round(quantile(times, 0.5)) });
      Object.assign(row, { [`${name}P95Ms`]: round(quantile(times, 0.95)) });
    }
    return row;
  });
  report('recall', 'cpu', rows);
}
