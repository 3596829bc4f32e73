// Between an opening and its end on one line, as in `() => {¦}, []);` and in `<ul>¦</ul>`.
import { balance, PARTNER } from './brackets';
import { NOTHING, type Trimmed } from './closers';
import { adoptIndentation, indentOf } from './indentation';
import { cutRepetition } from './repetition';
import { hasTags, lonelyEndTag, openedTag } from './tags';
import type { Surroundings } from './surroundings';

/**
 * The lines that belong inside, and the end on a line of its own; undefined where the cursor is not
 * in between, or nothing but the rest of its line is wanted.
 */
export function fitBetween(completion: string, around: Surroundings): Trimmed | undefined {
  if (!/^[ \t]*\n/.test(completion)) return undefined;
  const isTag = isBetweenTags(around);
  if (!isTag && (around.atLineEnd || !isBetweenBrackets(around))) return undefined;
  const text = cutRepetition(adoptIndentation(completion.trimEnd(), around));
  const end = isTag ? lonelyEndTag(text) : lonelyCloser(text, around);
  const inside = (end < 0 ? text : text.slice(0, end)).trimEnd();
  if (inside.trim() === '') return NOTHING;
  return { insert: `${inside}\n${indentOf(around.linePrefix)}`, replace: 0 };
}

function isBetweenBrackets({ linePrefix, rest }: Surroundings): boolean {
  const [opener, closer] = [linePrefix.trimEnd().at(-1), rest.trimStart()[0]];
  return '([{'.includes(opener ?? ' ') && PARTNER[closer] === opener;
}

function isBetweenTags({ language, linePrefix, rest }: Surroundings): boolean {
  const name = hasTags(language) ? openedTag(linePrefix) : undefined;
  return name !== undefined && rest.trimStart().startsWith(`</${name}>`);
}

function lonelyCloser(text: string, around: Surroundings): number {
  return (balance(text, around.scan(text)).closers[0]?.end ?? 0) - 1;
}
