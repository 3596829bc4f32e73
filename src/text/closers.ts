// Closing brackets and quotes: those of the completion, those right of the cursor, those below.
import { balance } from './brackets';
import { indentOf } from './indentation';
import type { Surroundings } from './surroundings';
import { isClosers } from './window';

/** What to insert, and how many characters right of the cursor, on its line, it replaces. */
export interface Trimmed {
  insert: string;
  replace: number;
}

/** No suggestion. */
export const NOTHING: Trimmed = { insert: '', replace: 0 };

/** What may follow closers on their line and belongs to them. */
export const TAIL = /^(?:\(\))?[;,:]*$/;

const CLOSERS_AT_END = /[)\]}>"'`;,:\s]*$/;

/** Cuts final closers that would be one too many, because the text behind the cursor has them. */
export function cutSurplusClosers(text: string, around: Surroundings): string {
  const { linesBelow, closersBelow, missingClosers, openOnLine, atLineEnd } = around;
  const closers = balance(text, around.scan(text)).closers.filter(({ character }) =>
    ')]}'.includes(character),
  );
  const lastLine = text.lastIndexOf('\n') + 1;
  const last = text.slice(lastLine);
  // Indentation tells more than counting can: a line of closers just like the one below.
  if (lastLine > 0 && isClosers(last) && last === linesBelow[0]?.trimEnd())
    if ((closers.at(-1)?.end ?? 0) > lastLine) return text.slice(0, lastLine).trimEnd();

  // What the cursor's own line opened is the completion's to close, whatever else is counted.
  const needed = atLineEnd ? Math.max(missingClosers, openOnLine) : missingClosers;
  const surplus = closers.length - needed;
  if (surplus <= 0) return text;
  const final = CLOSERS_AT_END.exec(text)!.index;
  const cut = closers.slice(-surplus).filter(({ end }) => end > final);
  const behind = closersBelow.slice(0, cut.length).join('');
  // Where the document ends, the text may close more than there is.
  const isBehind = cut
    .map(({ character }) => character)
    .join('')
    .startsWith(behind);
  if (behind === '' || cut.length === 0 || !isBehind) return text;
  return text.slice(0, cut[0].end - 1).trimEnd();
}

/** Replaces those closers right of the cursor which the text itself has; keeps the others. */
export function fitLineEnd(text: string, around: Surroundings): Trimmed {
  if (text.trim() === '') return NOTHING;
  const { rest } = around;
  const wanted = around.closersOfRest(text);
  const given = balance(text, around.scan(text)).closers;
  // As many are too many as the cursor's line has not opened.
  const surplus = given.length + wanted.length - around.openOnLine;
  let matched = 0;
  while (matched < Math.min(wanted.length, given.length, surplus)) {
    if (wanted[matched].character !== given[matched].character) break;
    matched++;
  }
  let replace = matched === 0 ? 0 : wanted[matched - 1].end;
  // What is behind the closers, as in `})();`, belongs to the line that the text has ended.
  const behind = rest.slice(replace).trim();
  const isTail = behind !== '' && TAIL.test(behind) && endsLine(text, behind);
  if (isTail && (matched > 0 || wanted.length === 0)) replace = rest.length;

  if (replace > 0 && !isSubsequence(rest.slice(0, replace), text)) {
    // The editor shows an insert only if it contains what it replaces: keep the closers instead.
    const end = given[0].end - 1;
    const insert = isClosers(text.slice(end)) ? text.slice(0, end).trimEnd() : '';
    return insert === '' ? NOTHING : { insert, replace: 0 };
  }
  if (text === rest.slice(0, replace)) return NOTHING;
  return { insert: text + (replace === 0 ? ownLine(text, around) : ''), replace };
}

/** The text ends its first line, or itself, with this punctuation. */
const endsLine = (text: string, punctuation: string) =>
  text.endsWith(punctuation) || text.split('\n', 1)[0].endsWith(punctuation);

/** A block written between two braces leaves the closing one on a line of its own. */
function ownLine(text: string, { linePrefix, rest }: Surroundings): string {
  const opensBlock = /[[({]\s*$/.test(linePrefix) && text.startsWith('\n');
  if (!opensBlock || !/^\s*[\])}]/.test(rest)) return '';
  return '\n' + indentOf(linePrefix);
}

/** All characters of `part` occur in `whole`, in this order: the editor can show it instead. */
export function isSubsequence(part: string, whole: string): boolean {
  let from = 0;
  for (const character of part) {
    from = whole.indexOf(character, from) + 1;
    if (from === 0) return false;
  }
  return true;
}
