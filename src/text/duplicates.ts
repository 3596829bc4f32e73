// Lines of a completion that stand below the cursor already.
import { indentWidth } from './indentation';
import { isClosing } from './lines';
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
    if (i === 0 && tail.length === 1 && indentWidth(whole[0]) !== indentWidth(below)) continue;
    if (repeats(whole, opening, around) || (i === 0 && repeats(tail, [], around)))
      return lines.slice(0, i).join('\n').trimEnd();
  }
  return text;
}

/** The lines are those below the cursor, as far as both go. */
function repeats(tail: string[], opening: string[], { linesBelow }: Surroundings): boolean {
  const compared = tail.slice(0, linesBelow.length);
  if (compared.length === 0 || (compared.length < tail.length && compared.length < 2)) return false;
  if (compared.every(isClosing))
    return !compared.every(isOnlyBrackets) && closeSameBlock(compared, opening, linesBelow);
  return compared.every((line, i) => {
    const [ours, theirs] = [line.trim(), linesBelow[i].trim()];
    // The last line may have been cut by the token limit.
    const isCut = i === tail.length - 1 && theirs.startsWith(ours);
    const isProven = compared.slice(0, i).some((other) => !isClosing(other));
    const telling = i === 0 ? TELLING.alone : TELLING.behindOthers;
    return alike(ours, theirs) || (isCut && (isProven || ours.length >= telling));
  });
}

/** The same but for white space, quotes and the punctuation at the end. */
const alike = (a: string, b: string) => a === b || normal(a) === normal(b);

const normal = (line: string) =>
  line
    .replace(/[;,]$/, '')
    .replace(/["'`]/g, '"')
    .replace(/\s+/g, line.includes('"') || line.includes("'") ? ' ' : '');

/** Brackets can be counted: see closers.ts. */
const isOnlyBrackets = (line: string) => /^[)\]}>"'`;,:\s]*$/.test(line);

/** Closing lines that end no block of the completion's own, indented as those below. */
function closeSameBlock(tail: string[], opening: string[], linesBelow: string[]): boolean {
  const own = opening.some(
    (line) => line.trim() !== '' && !isClosing(line) && indentWidth(line) === indentWidth(tail[0]),
  );
  return (
    (!own || tail.length > 1) && tail.every((line, i) => line.trimEnd() === linesBelow[i].trimEnd())
  );
}
