// Where the block ends that a completion writes, by indentation: a fallback for a parser.
// What stands further left than the cursor's line belongs to somebody else.
import { balance } from './brackets';
import { indentWidth } from './indentation';
import { isBesideCode, isClosing, isContinuation, isProse, opensBlock } from './lines';
import type { Surroundings } from './surroundings';

/** Cuts the lines behind the end of the block in which, or with which, the completion begins. */
export function cutOutOfScope(text: string, around: Surroundings): string {
  const { language, linePrefix } = around;
  const lines = text.split('\n');
  if (lines.length === 1 || isProse(language) || insideLongString(around)) return text;
  const base = indentWidth(linePrefix);
  const begun = beginsBlock(lines, linePrefix, base);
  const least = begun ? base : enclosingWidth(around, base);
  let hasLeft = false;
  let kept = 1;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i];
    if (line.trim() === '') continue;
    const width = indentWidth(line);
    const isInside = !hasLeft && (begun ? width > base : width >= base);
    if (!isInside && isBesideCode(line, language)) continue;
    if (!isInside && !isOpenBefore(lines, i, around)) {
      if (isClosing(line)) hasLeft ||= width < base;
      else if (hasLeft || width < least || !isContinuation(line, language))
        return lines.slice(0, kept).join('\n').trimEnd();
    }
    kept = i + 1;
  }
  return text;
}

/** The cursor's line opens a block, and the completion writes that block. */
function beginsBlock(lines: string[], linePrefix: string, base: number): boolean {
  if (linePrefix.trim() === '' || !opensBlock(linePrefix + lines[0])) return false;
  const next = lines.slice(1).find((line) => line.trim() !== '');
  return next !== undefined && indentWidth(next) > base;
}

/** Indentation of the line that holds the cursor's block. */
function enclosingWidth({ above }: Surroundings, base: number): number {
  const holder = above.findLast((line) => line.trim() !== '' && indentWidth(line) < base);
  return holder === undefined ? 0 : indentWidth(holder);
}

/** A bracket or a long string of the completion is still open before one of its lines. */
function isOpenBefore(lines: string[], index: number, around: Surroundings): boolean {
  const text = lines.slice(0, index).join('\n');
  return balance(text, around.scan(text)).open.length > 0 || hasOpenLongString(text);
}

/** The cursor stands in a string that may go over lines. */
export const insideLongString = ({ above, linePrefix }: Surroundings) =>
  hasOpenLongString([...above, linePrefix].join('\n'));

/** The text begins such a string that it does not end. */
export const hasOpenLongString = (text: string) =>
  ['"""', "'''", '`'].some((quote) => text.split(quote).length % 2 === 0);
