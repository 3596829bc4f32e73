// Which lines of other files go into a prompt. Knows no editor.
import type { Snippet } from '../../protocol';
import { similarity, type Passage } from '../../text/similarity';

/** A file that passages may come from. */
export interface Source {
  path: string;
  passages: readonly Passage[];
}

/** What there is to choose from. */
export interface Offer {
  /** Declarations of what is used near the cursor, the nearest first. */
  declarations: readonly Snippet[];
  /** Files, the one used last first. */
  sources: readonly Source[];
  /** The identifiers near the cursor. */
  near: ReadonlySet<string>;
}

/** The model was trained with this many. */
export const MAX_SNIPPETS = 4;
/** Declarations beyond this would leave no room for what is alike. */
const MAX_DECLARATIONS = 3;
/** Passages less alike than this are about something else. */
const MIN_SIMILARITY = 0.08;
/** A snippet with less room than this says nothing, in characters. */
const MIN_CHARACTERS = 60;

/** The most useful snippets, the best first, of about so many characters together at most. */
export function chooseSnippets(offer: Offer, characters: number): Snippet[] {
  const { declarations, sources, near } = offer;
  const alike = sources
    .flatMap(({ path, passages }) =>
      passages.map(({ text, identifiers }) => ({
        ...{ path, text },
        score: similarity(identifiers, near),
      })),
    )
    .filter(({ score }) => score >= MIN_SIMILARITY)
    .sort((a, b) => b.score - a.score);
  const chosen: Snippet[] = [];
  let left = characters;
  for (const { path, text } of [...declarations.slice(0, MAX_DECLARATIONS), ...alike]) {
    if (chosen.length === MAX_SNIPPETS || left < MIN_CHARACTERS) break;
    if (chosen.some((other) => other.path === path && overlaps(other.text, text))) continue;
    chosen.push({ path, text });
    left -= path.length + text.length;
  }
  return chosen;
}

/** What was chosen before and still is comes first, as it was: the model knows it already. */
export function keepOrder(before: readonly Snippet[], now: readonly Snippet[]): Snippet[] {
  const isSame = (a: Snippet) => (b: Snippet) => a.path === b.path && a.text === b.text;
  const kept = before.filter((snippet) => now.some(isSame(snippet)));
  return [...kept, ...now.filter((snippet) => !kept.some(isSame(snippet)))];
}

/** One text holds the other's first line that says something. */
function overlaps(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  const line = short.split('\n').find((text) => text.trim().length > 8) ?? short;
  return long.includes(line);
}
