// Which part of the document the model gets to see. Pure text; knows no editor and no model.
// Both edges stay put while someone types, so that the model's cache stays valid.

/** Most characters before the cursor. */
const MAX_PREFIX = 24_000;

/** The left edge moves by this much at once: 8,000 characters typed cost one fresh prompt. */
const STEP = 8_000;

/** Most characters after the cursor. */
const MAX_SUFFIX = 8_000;

/** What may stand right of the cursor on a line that is otherwise at its end; `}()` too. */
const CLOSERS = /^(?:[)\]}>"'`;,:\s]|(?<=[)}])\(\))*$/;

/** The rest of a line is only what an editor inserts by itself: closers, quotes, punctuation. */
export function isClosers(restOfLine: string): boolean {
  return CLOSERS.test(restOfLine);
}

/** The text around the cursor that the model sees, with edges that are stable while typing. */
export function completionWindow(
  before: string,
  after: string,
): { prefix: string; suffix: string } {
  return { prefix: before.slice(leftEdge(before)), suffix: visibleSuffix(after) };
}

function leftEdge(before: string): number {
  if (before.length <= MAX_PREFIX) return 0;
  const edge = Math.ceil((before.length - MAX_PREFIX) / STEP) * STEP;
  const lineStart = before.indexOf('\n', edge - 1) + 1;
  // A line longer than a whole step has no start within reach.
  return lineStart > 0 && lineStart <= edge + STEP ? lineStart : wholeCharacter(before, edge);
}

/** Closers right of the cursor come and go while typing, so the suffix starts after them. */
function visibleSuffix(after: string): string {
  const lineLength = /^[^\r\n]*/.exec(after)![0].length;
  const from = isClosers(after.slice(0, lineLength)) ? lineLength : 0;
  const suffix = after.slice(from, from + MAX_SUFFIX);
  if (from + suffix.length === after.length) return suffix;
  const lineEnd = suffix.lastIndexOf('\n') + 1;
  // One line feed at the very start would be all that is left of a long line.
  return suffix.slice(0, lineEnd > 1 ? lineEnd : wholeCharacter(suffix, suffix.length));
}

/** Moves an index out of the middle of a surrogate pair, to the left. */
function wholeCharacter(text: string, index: number): number {
  const code = text.charCodeAt(index - 1);
  const highSurrogate = code >= 0xd800 && code <= 0xdbff;
  return highSurrogate ? index - 1 : index;
}
