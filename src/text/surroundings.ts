// The text around the cursor, taken apart once for all the rules that cut a completion.
import { balance, openQuote, type Closer, type ScanOptions } from './brackets';
import { isClosers } from './window';

/** A model's answer and the document around it, with `\n` line ends. */
export interface TrimInput {
  /** VS Code language id. */
  language: string;
  /** All text before the cursor. */
  prefix: string;
  /** All text after the cursor. */
  suffix: string;
  completion: string;
}

/** How much text around the cursor is looked at, in characters. */
const SCANNED = 32_000;

/** Lines around the cursor and what their brackets and quotes leave open. */
export class Surroundings {
  readonly language: string;
  /** The cursor's line before it and after it. */
  readonly linePrefix: string;
  readonly rest: string;
  /** Only closers are right of the cursor, so a completion may end the line. */
  readonly atLineEnd: boolean;
  /** Lines above and below the cursor's, blank ones included. */
  readonly above: string[];
  readonly below: string[];
  /** Lines below that hold something. */
  readonly linesBelow: string[];
  /** The quote of the string that the cursor stands in, if it is closed on this line. */
  readonly quote: string | undefined;
  /** The quote of the string in whose `${}` or the like the cursor stands. */
  readonly embeddedIn: string | undefined;
  /** What the lines below close that they did not open, first to last. */
  readonly closersBelow: string[];
  /** Brackets that are open at the cursor, outermost first, and the quote of its string. */
  readonly open: string[];
  /** How many closing brackets the document lacks, from the cursor to the line's end. */
  readonly missingClosers: number;
  /** The same, as far as only the cursor's line tells; an open quote counts as one. */
  readonly openOnLine: number;

  constructor({ language, prefix, suffix }: Omit<TrimInput, 'completion'>) {
    const [before, after] = [prefix.slice(-SCANNED), suffix.slice(0, SCANNED)];
    this.language = language;
    this.above = before.split('\n');
    this.linePrefix = this.above.pop()!;
    const [rest, ...below] = after.split('\n');
    this.rest = rest;
    this.below = below;
    this.atLineEnd = isClosers(rest);
    this.linesBelow = below.filter((line) => line.trim() !== '');
    const isCharacter = language === 'rust' && /'$/.test(this.linePrefix) && rest.startsWith("'");
    const quoted = isCharacter ? "'" : openQuote(this.linePrefix, language);
    const isCode = isInterpolated(this.linePrefix, quoted);
    this.quote = isCode ? undefined : quoted;
    this.embeddedIn = isCode ? quoted : undefined;
    const { closers } = balance(this.atLineEnd ? after.slice(rest.length) : after, { language });
    this.closersBelow = closers.map(({ character }) => character);
    const { open } = balance(before, { language });
    this.missingClosers = Math.max(0, open.length - closers.length);
    const inString = quoted === undefined ? 0 : 1;
    const line = balance(this.linePrefix, { language, angles: rest.includes('>') });
    this.openOnLine = line.open.length + inString;
    this.open = [...open.slice(0, open.length - bracketsOf(line.open)), ...line.open];
    if (quoted !== undefined)
      this.open.splice(isCode ? this.open.lastIndexOf('{') : Infinity, 0, quoted);
  }

  /** What closes brackets and quotes right of the cursor, where these lines were written before. */
  closersOfRest(text: string): Closer[] {
    const { quote, embeddedIn, language, rest } = this;
    const [first, ...more] = text.split('\n');
    const isInside =
      quote !== undefined && rest.includes(quote) && (more.length === 0 || first.includes(quote));
    const insideQuote = isInside ? quote : undefined;
    return balance(rest, { language, insideQuote, embeddedIn, angles: true }).closers;
  }

  /** How to scan text that stands at the cursor, which may be inside a string. */
  scan(text: string): ScanOptions {
    const { quote, embeddedIn, language, rest } = this;
    const closing = quote !== undefined && (text + rest).split('\n', 1)[0].includes(quote);
    const insideQuote = closing ? quote : undefined;
    return { language, insideQuote, embeddedIn, angles: rest.includes('>') };
  }
}

const bracketsOf = (open: readonly string[]) => open.filter((one) => one !== '<').length;

/** The cursor is in code within a string, as in `f"{`, in `${` and in `$(`. */
const isInterpolated = (line: string, quote: string | undefined) =>
  quote !== undefined && /(?:\{|[$\\]\()[^{}"'`]*$/.test(line.slice(line.lastIndexOf(quote)));
