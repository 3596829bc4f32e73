// Which lines of other text are about the same things. Pure text; knows no editor and no model.

/** A run of lines that belong together. */
export interface Passage {
  text: string;
  identifiers: ReadonlySet<string>;
}

const IDENTIFIER = /[\p{L}_$][\p{L}\p{N}_$]{2,}/gu;

/** Words that say nothing about what code is about. */
const COMMON = new Set(
  (
    'abstract and any args array assert async await bool boolean break byte case catch char class ' +
    'const continue def default del delete double elif else enum err error except export extends ' +
    'extern false final finally float fmt for foreach from func function global goto implements ' +
    'impl import include instanceof int interface item key lambda let list long loop map match mod ' +
    'module mut namespace new nil none nonlocal not null number object override package pass print ' +
    'private protected public pub raise readonly require return self short signed sizeof static str ' +
    'string struct super switch test that the then this throw throws trait true try tuple type ' +
    'typedef typeof undefined union unsafe unsigned use using val value var virtual void where while ' +
    'with yield'
  ).split(' '),
);

/** The identifiers of a text, without those that are everywhere. */
export function identifiersOf(text: string): Set<string> {
  const found = new Set(text.match(IDENTIFIER));
  for (const word of found) if (COMMON.has(word.toLowerCase())) found.delete(word);
  return found;
}

/** Jaccard similarity: the share of what either has that both have, 0 to 1. */
export function similarity(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  let common = 0;
  for (const word of small) if (large.has(word)) common++;
  return common === 0 ? 0 : common / (a.size + b.size - common);
}

/**
 * Cuts a text into passages of `most` lines at most, between blocks where it can: before a line
 * without indentation that follows a blank one. Short blocks share a passage.
 */
export function passagesOf(text: string, most: number): Passage[] {
  const lines = text.split(/\r?\n/);
  const passages: Passage[] = [];
  for (let begin = 0; begin < lines.length;) {
    const end = passageEnd(lines, begin, most);
    const passage = lines
      .slice(begin, end)
      .join('\n')
      .replace(/^\s*\n|\s+$/g, '');
    if (passage !== '') passages.push({ text: passage, identifiers: identifiersOf(passage) });
    begin = end;
  }
  return passages;
}

function passageEnd(lines: readonly string[], begin: number, most: number): number {
  const full = begin + most;
  if (full >= lines.length) return lines.length;
  for (let end = full; end > begin + most / 2; end--)
    if (lines[end - 1].trim() === '' && /^\S/.test(lines[end])) return end;
  return full;
}
