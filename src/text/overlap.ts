// In the middle of a line: one line only (but for comments and what the line opens), without what
// stands right of the cursor already.
import { balance } from './brackets';
import { cutSurplusClosers, isSubsequence, NOTHING, type Trimmed } from './closers';
import { adoptIndentation } from './indentation';
import type { Surroundings } from './surroundings';

/** So many characters are no chance: they overlap even in the middle of words. */
const CERTAIN = 6;

/** Fits a completion between the cursor and the code that follows it on the line. */
export function fitInsideLine(completion: string, around: Surroundings): Trimmed {
  const { rest, linePrefix } = around;
  const following = rest.trim();
  if (isCommentEnd(following) && completion.startsWith('\n')) return fitComment(completion, rest);
  const word = /\w$/.test(linePrefix) ? /^\w{3,}/.exec(rest)?.[0] : undefined;
  const lines = completion.split('\n');
  const [first, ...more] = lines;
  // The rest of a word that is split by the cursor, told again with something new behind it.
  if (word !== undefined && first.startsWith(word)) return NOTHING;

  const text =
    goesOnBelow(more, around) && first.trimEnd().endsWith(following)
      ? first.trimEnd().slice(0, -following.length)
      : cutFromSurplus(cutOverlap(cutSurplusClosers(first, around), following, around), around);
  if (text.trim() === '') return NOTHING;
  if (text === first && isCovered(first.trimEnd(), around))
    return { insert: first.trimEnd(), replace: rest.length };
  const block = leavesOpen(text, around) ? wholeBlock(lines, following, around) : undefined;
  if (block !== undefined) return { insert: block, replace: 0 };
  // A blank between the insert and what follows is there already.
  return { insert: rest.startsWith(' ') ? text.trimEnd() : text, replace: 0 };
}

const isCommentEnd = (following: string) => /^(?:\*\/|-->)$/.test(following);

/** A comment written over several lines replaces the end that the editor gave it. */
function fitComment(completion: string, rest: string): Trimmed {
  const at = completion.indexOf(rest.trim());
  const insert = at < 0 ? '' : completion.slice(0, at + rest.trim().length);
  return isSubsequence(rest, insert) ? { insert, replace: rest.length } : NOTHING;
}

/** The text opens a bracket that the rest of the line does not close. */
function leavesOpen(text: string, { language, rest }: Surroundings): boolean {
  const openIn = (code: string) => balance(code, { language }).open.length;
  return openIn(text + rest) > openIn(rest);
}

/** The lines up to the one that closes what the first one opens, before what follows the cursor. */
function wholeBlock(lines: string[], following: string, around: Surroundings): string | undefined {
  const { language } = around;
  const isClosed = (text: string) => balance(text, { language }).open.length === 0;
  for (let count = 2; count <= lines.length; count++) {
    const block = lines.slice(0, count).join('\n');
    if (!isClosed(block)) continue;
    const text = cutOverlap(adoptIndentation(block, around), following, around).trimEnd();
    return isClosed(text) && text.includes('\n') ? text : undefined;
  }
  return undefined;
}

/** The text has what follows in it, with more in between, as `call(1);` has `();`. */
function isCovered(text: string, { language, rest }: Surroundings): boolean {
  const { open, closers } = balance(text, { language });
  const isWhole = open.length === 0 && closers.length === 0;
  return (
    isWhole && /^\([^\w\s]*$/.test(rest) && text.endsWith(rest.at(-1)!) && isSubsequence(rest, text)
  );
}

/** What follows is kept: what begins with a closer too many is another end of the line. */
function cutFromSurplus(text: string, around: Surroundings): string {
  const { open, closers } = balance(text, around.scan(text));
  const brackets = closers.filter(({ character }) => ')]}'.includes(character));
  const surplus = brackets.length - open.length - around.missingClosers;
  const first = surplus > 0 ? brackets.at(-surplus) : undefined;
  if (!first || first.character !== around.closersBelow[0]) return text;
  return text.slice(0, first.end - 1).trimEnd();
}

/** The next line of the completion is the next line of the document, or its beginning. */
function goesOnBelow(more: string[], { linesBelow }: Surroundings): boolean {
  const next = more.find((line) => line.trim() !== '')?.trim();
  return next !== undefined && (linesBelow[0]?.trim().startsWith(next) ?? false);
}

/** Ends the text where it begins to repeat what follows it. */
function cutOverlap(text: string, following: string, around: Surroundings): string {
  if (following.length > 2) {
    const everything = text.indexOf(following);
    const isLong = following.length >= CERTAIN && /\W/.test(following);
    const isWhole = everything >= 0 && isSurplus(text, everything, around);
    if (isWhole && (isLong || isBoundary(text, everything))) return text.slice(0, everything);
  }
  const whole = text.trimEnd();
  for (let start = Math.max(0, whole.length - following.length); start < whole.length; start++) {
    const part = whole.slice(start);
    if (following.startsWith(part) && isRepeated(text.slice(0, start), part, following, around))
      return text.slice(0, start);
  }
  return text;
}

/** The common part is what follows, told again, and no accident of spelling. */
function isRepeated(kept: string, part: string, following: string, around: Surroundings): boolean {
  // A ruler goes on with what it is made of.
  if (/^([-=*#~.+/ ])\1*$/.test(part) && (around.linePrefix + kept).endsWith(part[0])) return false;
  if (!isSurplus(kept + part, kept.length, around)) return false;
  if (part.length >= CERTAIN) return true;
  if (!isBoundary(kept + part, kept.length)) return false;
  // The last word may have been cut by the token limit.
  if (/\w$/.test(part) && /\W/.test(part)) return true;
  if (!isBoundary(following, part.length)) return false;
  if (part === '{' && part === following) return true;
  if (/^[([{]$/.test(part)) return opens(around.linePrefix + kept + following, around) <= 0;
  if (part === '<') return count(kept + part + following, '<') > count(following, '>');
  if (/^[.=|&-]$/.test(part)) return following[1] !== part && !kept.endsWith(part);
  if (/^>+$/.test(part)) return count(kept, '<') < count(kept + part, '>');
  return part.length > 1 || /[\w)\]};,:"'`]/.test(part);
}

const count = (text: string, character: string) =>
  text.replaceAll(/[-=]>/g, '').split(character).length - 1;

/** How many brackets more a line opens than it closes. */
function opens(line: string, { language }: Surroundings): number {
  const { open, closers } = balance(line, { language });
  return open.length - closers.length;
}

/** What stands at the index is no bracket that closes one of the text's own. */
function isSurplus(text: string, index: number, around: Surroundings): boolean {
  if (!')]}'.includes(text[index])) return true;
  return balance(text, around.scan(text)).closers.some(({ end }) => end === index + 1);
}

/** The index is not inside a word. */
const isBoundary = (text: string, index: number) =>
  !(/\w/.test(text[index - 1] ?? '') && /\w/.test(text[index] ?? ''));
