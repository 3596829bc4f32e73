/**
 * `trim FILE|FOLDER ...`: true text with a piece cut out. The completion is that piece and what
 * follows it, as a model writes that does not stop; trimmed, it must give the text again.
 */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { languageOf } from '../src/cli/languages';
import { seededRandom } from '../src/engine/sample';
import { trimCompletion } from '../src/text/trim';
import { cuts, isRestored, KINDS, type Cut } from '../test/cuts';
import { report, round } from './report';

/** Runs the benchmark. */
export async function trim(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { each: { type: 'string', default: '20' }, show: { type: 'string', default: '0' } },
  });
  const files = (
    await Promise.all((positionals.length > 0 ? positionals : ['src']).map(list))
  ).flat();
  const all: (Cut & { language: string; isRight: boolean })[] = [];
  for (const path of files) {
    const text = (await readFile(path, 'utf8')).replaceAll('\r\n', '\n');
    const language = languageOf(path);
    for (const cut of cuts(text, language, Number(values.each), seededRandom(text.length)))
      all.push({
        ...cut,
        language,
        isRight: isRestored(cut, trimCompletion({ ...cut, language })),
      });
  }
  for (const wrong of all.filter(({ isRight }) => !isRight).slice(0, Number(values.show)))
    show(wrong);
  const languages = [...new Set(all.map(({ language }) => language))].sort();
  const share = (some: typeof all) =>
    some.length > 0 ? round(some.filter(({ isRight }) => isRight).length / some.length) : null;
  const rows = ['all', ...languages].map((language) => {
    const own = all.filter((one) => language === 'all' || one.language === language);
    const kinds: [string, number | null][] = KINDS.map((kind) => [
      kind,
      share(own.filter((one) => one.kind === kind)),
    ]);
    return { language, cases: own.length, right: share(own), ...Object.fromEntries(kinds) };
  });
  report('trim', 'cpu', rows);
}

function show({ kind, language, prefix, suffix, completion, answer }: Cut & { language: string }) {
  const { insert, replace } = trimCompletion({ language, prefix, suffix, completion });
  console.log(`=== ${language} ${kind}`);
  console.log(`${prefix.slice(-200)}¦${suffix.slice(0, replace)}‖${suffix.slice(replace, 160)}`);
  for (const [name, text] of Object.entries({ completion, answer, insert }))
    console.log(`--- ${name}\n${text}`);
}

async function list(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = await readdir(path);
  return (await Promise.all(names.sort().map((name) => list(join(path, name))))).flat();
}
