// Which names a file takes from elsewhere. Pure text; knows no editor and no model.
import { identifiersOf } from './similarity';

/** A line that begins an import, in any of the usual languages. */
const IMPORT =
  /^\s*(?:import\b|from\s+\S+\s+import\b|(?:pub\s+)?use\s|using\s|#\s*include\b|require(?:_relative)?[\s(]|(?:const|let|var)\s[^=]*=\s*require\()/;
/** Imports longer than this are cut, in lines. */
const MAX_LINES = 50;

/** The identifiers of all import statements. */
export function importedNames(text: string): Set<string> {
  const lines = text.split('\n');
  const found: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    if (!IMPORT.test(lines[i])) continue;
    const begin = i;
    let depth = 0;
    do depth += balance(lines[i]);
    while (depth > 0 && i - begin < MAX_LINES && ++i < lines.length);
    found.push(...lines.slice(begin, i + 1));
  }
  return identifiersOf(found.join('\n'));
}

/** Where in a text imported names, and members named behind them, stand; the last ones first. */
export function importedUses(
  text: string,
  imported: ReadonlySet<string>,
): { name: string; offset: number }[] {
  const last = new Map<string, number>();
  const word = /(?:([\p{L}_$][\p{L}\p{N}_$]*)(?:\.|::|->))?([\p{L}_$][\p{L}\p{N}_$]*)/gu;
  for (const { 0: whole, 1: owner, 2: name, index } of text.matchAll(word))
    if (imported.has(name) || (owner && imported.has(owner)))
      last.set(owner ? `${owner}.${name}` : name, index + whole.length - name.length);
  return Array.from(last, ([name, offset]) => ({ name, offset })).sort(
    (a, b) => b.offset - a.offset,
  );
}

function balance(line: string): number {
  const opened = line.match(/[([{]/g)?.length ?? 0;
  return opened - (line.match(/[)\]}]/g)?.length ?? 0);
}
