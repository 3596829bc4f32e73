// Which end of a completion, over which closers right of the cursor, leaves the document's brackets
// in order. Where nothing is better, what closers.ts has found stands.
import { balance, PARTNER } from './brackets';
import { isSubsequence, TAIL, type Trimmed } from './closers';
import { indentWidth } from './indentation';
import { isProse } from './lines';
import type { Surroundings } from './surroundings';
import { isClosers } from './window';

/** An opening bracket further out than this is not what a closer was meant for. */
const REACH = 3;

/** The fit, or another end of its text over more or fewer closers that leaves less in disorder. */
export function bestFit(text: string, first: Trimmed, around: Surroundings): Trimmed {
  if (first.insert === '' || isProse(around.language)) return first;
  let best = first;
  let least = disorder(first, around);
  for (const insert of ends(text, around)) {
    for (const replace of replaceable(insert, around)) {
      const now = disorder({ insert, replace }, around);
      if (now >= least) continue;
      best = { insert, replace };
      least = now;
    }
  }
  return best;
}

/** The whole text, and the text without its last closers where others stand behind it. */
function ends(text: string, around: Surroundings): string[] {
  const { rest, linesBelow } = around;
  const final = /[)\]}>"'`;,:\s]*$/.exec(text)!.index;
  const lastLine = text.lastIndexOf('\n') + 1;
  const below = linesBelow[0] ?? '';
  const isTwice = isClosers(below) && indentWidth(text.slice(lastLine)) === indentWidth(below);
  if (rest.trim() === '' && !isTwice) return [text];
  const from = rest.trim() === '' ? Math.max(final, lastLine) : final;
  const closers = balance(text, around.scan(text)).closers.filter(({ end }) => end > from);
  const shorter = closers.map(({ end }) => text.slice(0, end - 1).trimEnd()).reverse();
  return [text, ...shorter.filter((end) => end !== '')];
}

/** How much right of the cursor an insert may replace: up to each closer that it has too. */
function replaceable(insert: string, around: Surroundings): number[] {
  const { rest, quote } = around;
  const quoted = quote === undefined && /^["'`]/.test(rest) ? [1] : [];
  const lengths = [0, ...quoted, ...around.closersOfRest(insert).map(({ end }) => end)];
  const withTail = lengths.map((length) => {
    const behind = rest.slice(length).trim();
    return behind !== '' && TAIL.test(behind) && insert.endsWith(behind) ? rest.length : length;
  });
  return withTail.filter((length) => isSubsequence(rest.slice(0, length), insert));
}

/** How many brackets and quotes find no partner, from what is open at the cursor to the end. */
function disorder({ insert, replace }: Trimmed, around: Surroundings): number {
  const stack = [...around.open];
  const text = insert + around.rest.slice(replace);
  const { open, closers } = balance(text, { ...around.scan(text), quotes: true });
  let alone = 0;
  const close = (character: string) => {
    const at = stack.lastIndexOf(PARTNER[character] ?? character);
    if (at < 0 || at < stack.length - REACH) alone++;
    else alone += stack.splice(at).length - 1;
  };
  for (const { character } of closers) close(character);
  stack.push(...open);
  around.closersBelow.forEach(close);
  return alone + stack.length;
}
