// Which brackets and quotes a piece of code leaves open or closes. A line scanner, not a parser:
// good enough to compare what a completion closes with what stands right of the cursor.
import { hasTags } from './tags';

/** What a closing bracket closes. */
export const PARTNER: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{', '>': '<' };
/** Languages with regular expressions between slashes, and where one may begin. */
const REGEX_LANGUAGES = /^(?:java|type)script(?:react)?$|^(?:vue|svelte|html)$/;
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};]|\b(?:return|case|typeof))\s*$/;
const REGEX = /^\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\//;

const OPENERS = '([{';
const QUOTES = '"\'`';

/** Languages whose line comments start with something else than two slashes. */
const LINE_COMMENTS: Readonly<Record<string, string>> = {
  python: '#',
  ruby: '#',
  shellscript: '#',
  yaml: '#',
  perl: '#',
  r: '#',
  julia: '#',
  makefile: '#',
  dockerfile: '#',
  toml: '#',
  elixir: '#',
  powershell: '#',
  lua: '--',
  sql: '--',
  haskell: '--',
};

/** A bracket or quote that closes something opened before the scanned text. */
export interface Closer {
  character: string;
  /** Index in the scanned text just after the closer. */
  end: number;
}

/** What a piece of code leaves open, and what it closes that was opened before it. */
export interface Balance {
  open: string[];
  closers: Closer[];
}

/** How to scan: the language, what the text starts inside of, and whether `<>` pair up. */
export interface ScanOptions {
  language: string;
  /** The quote of a string. */
  insideQuote?: string;
  /** The quote of a string in whose `${}` or the like the text starts. */
  embeddedIn?: string;
  angles?: boolean;
  /** Counts a quote that its line leaves open among what is open. */
  quotes?: boolean;
}

/** Scans code for unbalanced brackets and quotes; skips strings and line comments. */
export function balance(text: string, options: ScanOptions): Balance {
  const { language, insideQuote, embeddedIn, angles = false, quotes = false } = options;
  const comment = LINE_COMMENTS[language] ?? '//';
  const open: string[] = [];
  const closers: Closer[] = [];
  let i = 0;
  if (insideQuote !== undefined) {
    i = stringEnd(text, 0, insideQuote);
    if (i > 0) closers.push({ character: insideQuote, end: i });
    else i = text.length;
  }
  for (; i < text.length; i++) {
    const character = text[i];
    if (isComment(text, i, comment)) {
      const lineEnd = text.indexOf('\n', i);
      if (lineEnd < 0) break;
      i = lineEnd;
    } else if (comment === '//' && text.startsWith('/*', i)) {
      const commentEnd = text.indexOf('*/', i + 2);
      if (commentEnd < 0) break;
      i = commentEnd + 1;
    } else if (character === '/' && REGEX_LANGUAGES.test(language)) {
      i += Math.max(0, regexLength(text, i) - 1);
    } else if (QUOTES.includes(character)) {
      if (isApostrophe(text, i, language)) continue;
      const quote = quoteAt(text, i);
      const end = stringEnd(text, i + quote.length, quote);
      if (end === 0 && quotes) open.push(quote);
      i = (end > 0 ? end : i + quote.length) - 1;
    } else if (OPENERS.includes(character) || (angles && opensAngle(text, i, language))) {
      open.push(character);
    } else if (character === ')' && open.at(-1) !== '(' && isCasePattern(text, i, language)) {
      continue;
    } else if (character in PARTNER && (character !== '>' || (angles && closesAngle(text, i)))) {
      if (open.at(-1) === PARTNER[character]) open.pop();
      else if (open.length === 0) {
        closers.push({ character, end: i + 1 });
        const isEnd = embeddedIn !== undefined && endsEmbedded(character, language);
        const end = isEnd ? stringEnd(text, i + 1, embeddedIn) : 0;
        if (end > 0) closers.push({ character: embeddedIn!, end });
        i = Math.max(i, end - 1);
      }
    }
  }
  return { open, closers };
}

/** A line comment begins; two slashes behind a colon are an address. */
const isComment = (text: string, index: number, mark: string) =>
  text.startsWith(mark, index) && !(mark === '//' && text[index - 1] === ':');

/** The bracket ends code within a string. */
const endsEmbedded = (bracket: string, language: string) =>
  bracket === '}' || (bracket === ')' && /^(?:shellscript|swift)$/.test(language));

/** The bracket behind a pattern of the shell's `case`, on a line of its own. */
function isCasePattern(text: string, index: number, language: string): boolean {
  return (
    language === 'shellscript' && /\n\s*[^\s()]+$/.test(text.slice(Math.max(0, index - 80), index))
  );
}

/** The quote that is still open at the end of a line, if any. */
export function openQuote(line: string, language: string): string | undefined {
  const open = openAtEnd(line, language);
  return open === 'comment' ? undefined : open;
}

/** What is open at the end of a line: a line comment, or a string with this quote. */
export function openAtEnd(line: string, language: string): string | undefined {
  const comment = LINE_COMMENTS[language] ?? '//';
  for (let i = 0; i < line.length; i++) {
    if (isComment(line, i, comment)) return 'comment';
    if (line[i] === '/' && REGEX_LANGUAGES.test(language))
      i += Math.max(0, regexLength(line, i) - 1);
    if (!QUOTES.includes(line[i]) || isApostrophe(line, i, language)) continue;
    const quote = quoteAt(line, i);
    const end = stringEnd(line, i + quote.length, quote);
    if (end === 0) return quote;
    i = end - 1;
  }
  return undefined;
}

/** The quote at the index, which may be a triple one. */
const quoteAt = (text: string, index: number) =>
  /^("{3}|'{3})?/.exec(text.slice(index, index + 3))![0] || text[index];

/** Index after the closing quote of a string whose text starts at `from`; 0 if it has none. */
function stringEnd(text: string, from: number, quote: string): number {
  for (let i = from; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text.startsWith(quote, i)) return i + quote.length;
    else if (text[i] === '\n' && quote.length === 1 && quote !== '`') return 0;
  }
  return 0;
}

/** A word's apostrophe (don't) and a Rust lifetime ('a) open no string. */
function isApostrophe(text: string, index: number, language: string): boolean {
  if (text[index] !== "'") return false;
  if (language === 'rust') return !/^'(?:\\[^']+|[^'\\])'/.test(text.slice(index, index + 12));
  return (
    index > 0 &&
    /\w/.test(text[index - 1]) &&
    !/\b[bfru]{1,2}'$/i.test(text.slice(Math.max(0, index - 3), index + 1))
  );
}

/** Length of the regular expression that begins at a slash; 0 if it is a division or a tag's. */
function regexLength(text: string, index: number): number {
  const isExpected = BEFORE_REGEX.test(text.slice(Math.max(0, index - 40), index));
  return isExpected ? (REGEX.exec(text.slice(index, index + 300))?.[0].length ?? 0) : 0;
}

function opensAngle(text: string, index: number, language: string): boolean {
  if (text[index] !== '<') return false;
  if (hasTags(language) && /[/\w!]/.test(text[index + 1] ?? '')) return true;
  return index > 0 && /[\w:]/.test(text[index - 1]);
}

const closesAngle = (text: string, index: number) => index === 0 || !/[-=\s]/.test(text[index - 1]);
