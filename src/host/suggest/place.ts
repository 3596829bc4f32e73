// A cursor in a text, and what typing does to it. Knows no editor and no model.
import type { Trimmed } from '../../text/trim';

/** A cursor in a document, with all of its text and `\n` line ends. */
export interface Place {
  uri: string;
  path: string;
  language: string;
  before: string;
  after: string;
}

/** What was typed on the way from one place to another; undefined if more has changed than that. */
export function typedBetween(from: Place, to: Place): string | undefined {
  const isSameText = to.uri === from.uri && to.language === from.language;
  // Cut out and compared as a whole: V8's startsWith goes character by character.
  if (!isSameText || to.before.slice(0, from.before.length) !== from.before) return undefined;
  return closersAdded(from.after, to.after) === undefined
    ? undefined
    : to.before.slice(from.before.length);
}

/**
 * What is left of a suggestion after its beginning was typed, from the text after the cursor then
 * and now; undefined if anything else was.
 */
export function remaining(
  { insert, replace }: Trimmed,
  typed: string,
  then: string,
  now: string,
): Trimmed | undefined {
  if (!insert.startsWith(typed) || (typed !== '' && typed.length === insert.length))
    return undefined;
  const added = closersAdded(then, now);
  if (added === undefined) return undefined;
  const left = { insert: insert.slice(typed.length), replace: replace + added };
  // What the editor has closed must be closed by the suggestion too, which replaces it.
  const closers = now.slice(0, Math.max(0, added));
  return left.replace >= 0 && left.insert.includes(closers) ? left : undefined;
}

/** The place after a suggestion was accepted. */
export function accepted(place: Place, { insert, replace }: Trimmed): Place {
  return { ...place, before: place.before + insert, after: place.after.slice(replace) };
}

/**
 * How many closers the editor has put right of the cursor by itself while someone typed: negative
 * when typing a closer went over one that was there, undefined when anything else has changed.
 */
function closersAdded(then: string, now: string): number | undefined {
  const added = now.length - then.length;
  const [longer, shorter] = added > 0 ? [now, then] : [then, now];
  const isClosers = /^[)\]}>"'`;]{0,2}$/.test(longer.slice(0, Math.abs(added)));
  return isClosers && longer.slice(Math.abs(added)) === shorter ? added : undefined;
}
