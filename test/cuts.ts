/** Pieces cut out of true text, and completions that give the piece back and run on. */
import { balance, openQuote } from '../src/text/brackets';
import { indentWidth } from '../src/text/indentation';
import { isClosers } from '../src/text/window';

/** What is cut: see `PLACES`. */
export type Kind = 'line' | 'closed' | 'inner' | 'middle' | 'block' | 'body' | 'braces' | 'tail';

/** A cursor, what a model writes there, and what would be right. */
export interface Cut {
  kind: Kind;
  prefix: string;
  /** As the document is: closers that the editor has added stand before what is `after`. */
  suffix: string;
  after: string;
  answer: string;
  completion: string;
}

type Random = (below: number) => number;

/** Where a piece begins and ends, and which closers the editor has put behind the cursor. */
interface Piece {
  begin: number;
  end: number;
  added?: string;
}

const PARTNERS: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/** How each kind of piece is found; undefined where the text has none at that place. */
const PLACES: Record<Kind, (text: string, at: number, language: string) => Piece | undefined> = {
  /** The rest of a line. */
  line: (text, at) => ({ begin: at, end: lineEnd(text, at) }),
  /** The same, where the editor has closed what the line has opened. */
  closed: (text, at, language) => {
    const end = lineEnd(text, at);
    const line = text.slice(lineStart(text, at), at);
    const insideQuote = openQuote(line, language);
    const { open } = balance(line, { language });
    const closed = balance(text.slice(at, end), { language, insideQuote }).closers;
    const brackets = open.toReversed().map((bracket) => PARTNERS[bracket] ?? '');
    const added = insideQuote === undefined ? brackets : [insideQuote, ...brackets];
    const own = closed.map(({ character }) => character).join('');
    if (added.length === 0 || own !== added.join('')) return undefined;
    return { begin: at, end, added: added.join('') };
  },
  /** Up to the closers at the line's end. */
  inner: (text, at) => {
    const line = text.slice(at, lineEnd(text, at));
    const closers = /[)\]}>"'`;,:]+$/.exec(line);
    if (!closers || closers.index === 0) return undefined;
    return { begin: at, end: at + closers.index };
  },
  /** A few words in the middle of a line. */
  middle: (text, at) => {
    const word = /^[^\n]{0,40}?(?=[^\w\s\n])/.exec(text.slice(at));
    if (!word || word[0].trim() === '') return undefined;
    const end = at + word[0].length;
    return isClosers(text.slice(end, lineEnd(text, end))) ? undefined : { begin: at, end };
  },
  /** A block with its end, behind the line that opens it. */
  block: (text, at) => blockAt(text, at, ({ begin, end }) => ({ begin, end })),
  /** What is inside a block. */
  body: (text, at) => blockAt(text, at, ({ begin, bodyEnd }) => ({ begin, end: bodyEnd })),
  /** The same between two braces on one line. */
  braces: (text, at) =>
    blockAt(text, at, ({ begin, bodyEnd, end }) => {
      const closer = /^\n\s*([)\]}])/.exec(text.slice(bodyEnd, end));
      if (!closer) return undefined;
      return { begin, end: bodyEnd + closer[0].length, added: closer[1] };
    }),
  /** The same with everything that ends the block on that line, be it brackets or a tag. */
  tail: (text, at) =>
    blockAt(text, at, ({ begin, bodyEnd, end }) => {
      const lead = /^\n\s*(?=[)\]}<])/.exec(text.slice(bodyEnd, end));
      return lead ? { begin, end: bodyEnd + lead[0].length } : undefined;
    }),
};

export const KINDS = Object.keys(PLACES) as Kind[];

/** Up to `each` cuts of every kind, at random places. */
export function* cuts(
  text: string,
  language: string,
  each: number,
  random: () => number,
): Generator<Cut> {
  const draw: Random = (below) => Math.floor(random() * below);
  for (const kind of KINDS) {
    for (let i = 0; i < each; i++) {
      const piece = PLACES[kind](text, draw(text.length), language);
      const answer = piece && text.slice(piece.begin, piece.end);
      if (!piece || !answer || answer.trim() === '') continue;
      const after = text.slice(piece.end);
      const completion = answer + runOn(kind, after, draw);
      const prefix = text.slice(0, piece.begin);
      yield { kind, prefix, suffix: (piece.added ?? '') + after, after, answer, completion };
    }
  }
}

/** What the model tells again of what follows: nothing, the rest of the line, or some lines. */
function runOn(kind: Kind, after: string, draw: Random): string {
  const lines = draw(5);
  if (kind === 'middle' && lines < 2) return after.slice(0, draw(12));
  return after.split('\n').slice(0, lines).join('\n');
}

function blockAt(
  text: string,
  at: number,
  piece: (block: { begin: number; bodyEnd: number; end: number }) => Piece | undefined,
): Piece | undefined {
  const begin = lineEnd(text, at);
  const opener = text.slice(lineStart(text, at), begin);
  if (!/[{[(:]$|<\w[^<]*[^/=-]>$/.test(opener)) return undefined;
  const base = indentWidth(opener);
  let bodyEnd = begin;
  for (let next = begin + 1; next < text.length && bodyEnd - begin < 600;) {
    const end = lineEnd(text, next);
    const line = text.slice(next, end);
    if (line.trim() !== '' && indentWidth(line) <= base) {
      const closes = indentWidth(line) === base && /^\s*(?:[)\]}]|<\/)/.test(line);
      if (bodyEnd === begin || !(closes || opener.endsWith(':'))) return undefined;
      return piece({ begin, bodyEnd, end: closes ? end : bodyEnd });
    }
    if (line.trim() !== '') bodyEnd = end;
    next = end + 1;
  }
  return undefined;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

const lineStart = (text: string, at: number) => text.lastIndexOf('\n', at - 1) + 1;

/** What was inserted over what makes the document as it was, blanks at line ends and blank lines aside. */
export function isRestored(
  { prefix, answer, suffix, after }: Cut,
  { insert, replace }: { insert: string; replace: number },
): boolean {
  const plain = (text: string) => text.replace(/[ \t]+$/gm, '').replace(/\n+/g, '\n');
  return plain(prefix + insert + suffix.slice(replace)) === plain(prefix + answer + after);
}
