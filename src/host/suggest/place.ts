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
  if (!isSameText || !to.before.startsWith(from.before)) return undefined;
  return closersAdded(from, to) === undefined ? undefined : to.before.slice(from.before.length);
}

/** What is left of a suggestion after its beginning was typed; undefined if anything else was. */
export function remaining(
  { insert, replace }: Trimmed,
  from: Place,
  to: Place,
): Trimmed | undefined {
  const typed = typedBetween(from, to);
  const added = closersAdded(from, to);
  if (typed === undefined || added === undefined || !insert.startsWith(typed)) return undefined;
  if (typed !== '' && typed.length === insert.length) return undefined;
  const left = { insert: insert.slice(typed.length), replace: replace + added };
  // What the editor has closed must be closed by the suggestion too, which replaces it.
  const closers = to.after.slice(0, Math.max(0, added));
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
function closersAdded({ after: old }: Place, { after: now }: Place): number | undefined {
  const added = now.length - old.length;
  const [longer, shorter] = added > 0 ? [now, old] : [old, now];
  const isClosers = /^[)\]}>"'`;]{0,2}$/.test(longer.slice(0, Math.abs(added)));
  return isClosers && longer.endsWith(shorter) ? added : undefined;
}
