// Lines of a completion that stand below the cursor already.
import { indentWidth } from './indentation';
import { isClosing } from './lines';
import { beginsElement, lacksEndTag, openedTag } from './tags';
import type { Surroundings } from './surroundings';

/** From this length on a line that was cut proves something by itself, or behind closing lines. */
const TELLING = { alone: 12, behindOthers: 4 };

/** Cuts the lines with which the completion begins to tell the text below the cursor again. */
export function cutRepeatedLines(text: string, around: Surroundings): string {
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    if (lines[i].trim() === '') continue;
    const tail = lines.slice(i).filter((line) => line.trim() !== '');
    // The first line goes on from the text before the cursor.
    const whole = i === 0 ? [around.linePrefix + tail[0], ...tail.slice(1)] : tail;
    const opening = [around.linePrefix + lines[0], ...lines.slice(1, i)].slice(0, i);
    // Alone it must be indented as the line below: one does the same at different depths.
    const below = around.linesBelow[0] ?? '';
    const isAlone = i === 0 && tail.length === 1;
    if (isAlone && indentWidth(whole[0]) !== indentWidth(below)) continue;
    // Where the line above is the same too, or the next two are, that is how the text goes.
    const others = [around.above.at(-1) ?? '', around.linesBelow[1] ?? ''];
    if (isAlone && others.some((line) => alike(whole[0].trim(), line.trim()))) continue;
    if (repeats(whole, opening, around) || (i === 0 && repeats(tail, [], around)))
      return lines.slice(0, i).join('\n').trimEnd();
  }
  return text;
}

/** The lines are those below the cursor, as far as both go. */
function repeats(tail: string[], opening: string[], around: Surroundings): boolean {
  const { linesBelow } = around;
  const compared = tail.slice(0, linesBelow.length);
  if (compared.length === 0) return false;
  // One line of several proves something where the document ends with it, word for word.
  const isLast = /\w.{5}/.test(compared[0]) && isSame(compared, linesBelow);
  const isProof = compared.length === tail.length || compared.length > 1 || isLast;
  if (compared.every(isClosing) && (isProof || isEndTag(compared[0]))) {
    if (/^\s*["'`]/.test(compared[0])) return isSame(compared, linesBelow);
    // Two steps out, and the same two again: nothing is left to close at that depth.
    const isStaircase = compared.length > 1 && indentWidth(compared[0]) > indentWidth(compared[1]);
    if (isStaircase && isSame(compared, linesBelow)) return true;
    if (endsCursorsBlock(compared, opening, around)) return true;
    return !compared.every(isOnlyBrackets) && closeSameBlock(compared, opening, linesBelow);
  }
  return (
    isProof &&
    compared.every((line, i) => {
      const [ours, theirs] = [line.trim(), linesBelow[i].trim()];
      // The last line may have been cut by the token limit.
      const isCut = i === tail.length - 1 && theirs.startsWith(ours);
      const isProven = compared.slice(0, i).some((other) => !isClosing(other));
      const telling = i === 0 ? TELLING.alone : TELLING.behindOthers;
      return alike(ours, theirs) || (isCut && (isProven || ours.length >= telling));
    })
  );
}

/** The same but for white space, quotes and the punctuation at the end. */
const alike = (a: string, b: string) => a === b || normal(a) === normal(b);

const normal = (line: string) =>
  line
    .replace(/[;,]$/, '')
    .replace(/["'`]/g, '"')
    .replace(/\s+/g, line.includes('"') || line.includes("'") ? ' ' : '');

const isEndTag = (line: string) => /^\s*<\//.test(line);

/** Brackets can be counted: see closers.ts. */
const isOnlyBrackets = (line: string) => /^[)\]}>"'`;,:\s]*$/.test(line);

/** Lines that are those below, at the same indentation. */
const isSame = (lines: readonly string[], linesBelow: readonly string[]) =>
  lines.every((line, i) => line.trimEnd() === linesBelow[i].trimEnd());

/** What the cursor's line opens, the line below ends, and the lines tell that again. */
function endsCursorsBlock(tail: string[], opening: string[], around: Surroundings): boolean {
  const { above, linePrefix, linesBelow } = around;
  if (opening[0] !== linePrefix) return false;
  const tag = openedTag(linePrefix);
  if (tag === undefined && !/[{([]\s*$/.test(linePrefix)) return false;
  if (
    tag !== undefined &&
    lacksEndTag(tag, [...above, linePrefix].join('\n'), linesBelow.join('\n'))
  )
    return false;
  return indentWidth(tail[0]) === indentWidth(linePrefix) && isSame(tail, linesBelow);
}

/** Closing lines that end no block of the completion's own, indented as those below. */
function closeSameBlock(tail: string[], opening: string[], linesBelow: string[]): boolean {
  return (tail.length > 1 || !endsOwn(tail[0], opening)) && isSame(tail, linesBelow);
}

/** The line ends what the lines before it have begun: the same element, or a block. */
function endsOwn(line: string, opening: string[]): boolean {
  if (isEndTag(line)) return beginsElement(opening.join('\n'), line);
  return opening.some(
    (other) => other.trim() !== '' && !isClosing(other) && indentWidth(other) === indentWidth(line),
  );
}
