// How far lines are indented, and the document's habit of doing it.
import { balance } from './brackets';
import { opensBlock } from './lines';
import type { Surroundings } from './surroundings';
import { hasTags, openedTag } from './tags';

/** A tab is as wide as this many blanks, only ever to compare lines. */
const TAB = 4;

/** Lines on either side of the cursor that show the document's habit. */
const LOOKED_AT = 200;

/** A line that begins a block with a word, whatever it ends with. */
const BLOCK =
  /^\s*(?:begin|case|class|def|do|else|elsif|ensure|for|function|if|module|rescue|switch|try|unless|until|when|while)\b/;

/** The white space that a line begins with. */
export const indentOf = (line: string) => /^[ \t]*/.exec(line)![0];

/** Width of a line's indentation, in blanks. */
export function indentWidth(line: string): number {
  let width = 0;
  for (const character of indentOf(line)) width += character === '\t' ? TAB - (width % TAB) : 1;
  return width;
}

/** Indents the completion as the document is indented, if that is by tabs or by blanks only. */
export function adoptIndentation(
  text: string,
  { above, linePrefix, below, language }: Surroundings,
): string {
  // Other white space than the document's may be meant where it has a meaning.
  if (['makefile', 'markdown', 'plaintext'].includes(language)) return text;
  const around = [...above.slice(-LOOKED_AT), `${linePrefix}.`, ...below.slice(0, LOOKED_AT)];
  const indents = around.filter((line) => /^(\t| {2,}[^ *])/.test(line)).map(indentOf);
  const lines = text.split('\n');
  const own = lines.slice(1).filter((line) => line.trim() !== '');
  const byTabs = indents.length > 0 && indents.every((indent) => indent.startsWith('\t'));
  const byBlanks = indents.length > 0 && indents.every((indent) => !indent.includes('\t'));
  if (byTabs && own.every((line) => !indentOf(line).includes('\t'))) {
    const unit = own.map((line) => indentOf(line).length).reduce(commonDivisor, 0);
    const tab = unit === 8 ? 4 : unit;
    const tabs = (blanks: string) =>
      '\t'.repeat(Math.floor(blanks.length / tab)) + ' '.repeat(blanks.length % tab);
    return tab < 2 ? text : lines.map((line, i) => reindent(line, i, tabs)).join('\n');
  }
  if (byBlanks && own.some((line) => line.startsWith('\t'))) {
    const unit = smallest(indents.map((indent) => indent.length));
    const blanks = (indent: string) => indent.replaceAll('\t', ' '.repeat(unit));
    return lines.map((line, i) => reindent(line, i, blanks)).join('\n');
  }
  return text;
}

/** Drops white space at the start of a completion that is left of the cursor already. */
export function dropDoubledIndent(text: string, around: Surroundings): string {
  const { linePrefix } = around;
  if (linePrefix === '') return text;
  if (linePrefix.trim() !== '')
    return /\S $/.test(linePrefix) ? text.replace(/^ (?=\S)/, '') : text;
  const first = /^[ \t]*(?=\S)/.exec(text)?.[0] ?? '';
  if (!first.startsWith(linePrefix) || needsMore(text, around)) return text;
  const [line, ...more] = text.split('\n');
  const next = more.find((other) => other.trim() !== '');
  // What follows is written for the one place of the line or for the other.
  const [doubled, other] = [indentWidth(linePrefix + line), indentWidth(next ?? '')];
  const isShifted = other < doubled || (other === doubled && opensBlock(line));
  return isShifted ? text.slice(linePrefix.length) : text;
}

/** The text belongs further right than the cursor: the line above begins a block, or goes on. */
function needsMore(text: string, { linePrefix, above, language }: Surroundings): boolean {
  const parent = above.findLast((line) => line.trim() !== '') ?? '';
  const [width, least] = [indentWidth(linePrefix), indentWidth(parent)];
  if (width > least || /[;}]\s*$/.test(parent)) return width < least;
  const isOpen =
    opensBlock(parent) ||
    BLOCK.test(parent) ||
    /[-=+*/|&<?.]\s*$/.test(parent) ||
    balance(parent, { language }).open.length > 0 ||
    (hasTags(language) && openedTag(parent) !== undefined);
  return width < least || isOpen || /^\s*(?:[.?:|+]|&&|->)/.test(text);
}

/** The first line stands behind the cursor and keeps its white space. */
const reindent = (line: string, index: number, change: (indent: string) => string) =>
  index === 0 ? line : change(indentOf(line)) + line.slice(indentOf(line).length);

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

const smallest = (widths: number[]) => Math.min(...widths.filter((width) => width > 0), 8);
