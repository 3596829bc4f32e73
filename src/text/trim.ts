// What of a model's answer to put into the document. Pure text; knows no editor and no model.
// It never invents code: it cuts, and it says how much right of the cursor the insert replaces.
import { balance, openQuote, type ScanOptions } from './brackets';
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

/** What to insert, and how many characters right of the cursor, on its line, it replaces. */
export interface Trimmed {
  insert: string;
  replace: number;
}

const NOTHING: Trimmed = { insert: '', replace: 0 };

/** How much text around the cursor is looked at for open brackets, in characters. */
const SCANNED = 32_000;

/** Cuts a completion so that it neither repeats nor unbalances the text around the cursor. */
export function trimCompletion(input: TrimInput): Trimmed {
  const completion = input.completion.trimEnd();
  if (completion === '') return NOTHING;
  const context = new Context(input);
  if (!context.atLineEnd) return fitInsideLine(completion, context);
  const text = cutRepeatedLines(cutRepetition(completion), context);
  return fitLineEnd(cutSurplusClosers(text, context), context);
}

/** The text around the cursor, taken apart once. */
class Context {
  readonly language: string;
  /** The cursor's line before it and after it. */
  readonly linePrefix: string;
  readonly rest: string;
  /** Only closers are right of the cursor, so a completion may end the line. */
  readonly atLineEnd: boolean;
  /** Lines below the cursor's that hold something. */
  readonly linesBelow: string[];
  /** What the text that stays behind the completion closes, first to last. */
  readonly closersBehind: string[];
  /** How many closing brackets the document lacks without the completion. */
  readonly missingClosers: number;

  constructor({ language, prefix, suffix }: TrimInput) {
    const [before, after] = [prefix.slice(-SCANNED), suffix.slice(0, SCANNED)];
    const [rest, ...below] = after.split('\n');
    this.language = language;
    this.linePrefix = prefix.slice(prefix.lastIndexOf('\n') + 1);
    this.rest = rest;
    this.atLineEnd = isClosers(rest);
    this.linesBelow = below.filter((line) => line.trim() !== '');
    const behind = balance(this.atLineEnd ? after.slice(rest.length) : after, { language });
    this.closersBehind = behind.closers.map(({ character }) => character);
    const open = balance(before, { language }).open.length;
    this.missingClosers = Math.max(0, open - behind.closers.length);
  }

  /** How to scan text at the cursor, which may stand inside a string closed right of it. */
  get scan(): ScanOptions {
    const quote = openQuote(this.linePrefix, this.language);
    return {
      language: this.language,
      insideQuote: this.rest.trimStart().startsWith(quote ?? '\n') ? quote : undefined,
      angles: this.rest.includes('>'),
    };
  }
}

// ── Code right of the cursor ─────────────────────────────────────────────────────────────────

/** In the middle of a line: one line only, without what stands right of the cursor already. */
function fitInsideLine(completion: string, context: Context): Trimmed {
  const { rest } = context;
  const line = cutSurplusClosers(completion.split('\n', 1)[0], context);
  const insert = line.slice(0, overlapStart(line, rest.trim()));
  if (insert.trim() === '') return NOTHING;
  return { insert: rest.startsWith(' ') ? insert.trimEnd() : insert, replace: 0 };
}

/** Where `text` begins to repeat what follows it: all of it anywhere, or its start at the end. */
function overlapStart(text: string, following: string): number {
  const isBoundary = (whole: string, index: number) =>
    !(/\w/.test(whole[index - 1] ?? '') && /\w/.test(whole[index] ?? ''));
  const everything = following.length > 2 ? text.indexOf(following) : -1;
  if (everything >= 0 && isBoundary(text, everything)) return everything;
  for (let start = Math.max(0, text.length - following.length); start < text.length; start++) {
    const length = text.length - start;
    if (
      following.startsWith(text.slice(start)) &&
      isBoundary(text, start) &&
      isBoundary(following, length)
    )
      return start;
  }
  return text.length;
}

// ── Repetition ───────────────────────────────────────────────────────────────────────────────

/** Ends the text after the first of three equal lines in a row. */
function cutRepetition(text: string): string {
  const lines = text.split('\n');
  for (let i = 0; i + 2 < lines.length; i++) {
    const repeated = lines[i].trim() !== '' && lines[i] === lines[i + 1];
    if (repeated && lines[i] === lines[i + 2]) return lines.slice(0, i + 1).join('\n');
  }
  return text;
}

/** Cuts trailing lines that stand below the cursor already, whatever their indentation. */
function cutRepeatedLines(text: string, { linePrefix, linesBelow }: Context): string {
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    if (lines[i].trim() === '') continue;
    const tail = lines.slice(i).filter((line) => line.trim() !== '');
    // The first line goes on from the text before the cursor.
    const whole = i === 0 ? [linePrefix + tail[0], ...tail.slice(1)] : tail;
    if (repeats(whole, linesBelow) || repeats(tail, linesBelow))
      return lines.slice(0, i).join('\n').trimEnd();
  }
  return text;
}

/** The lines are those below the cursor; closers alone prove nothing. */
function repeats(tail: string[], linesBelow: string[]): boolean {
  const compared = tail.slice(0, linesBelow.length);
  if (compared.every(isClosers) || (compared.length < tail.length && compared.length < 2))
    return false;
  return compared.every((line, i) => {
    const [ours, theirs] = [line.trim(), linesBelow[i].trim()];
    // The last line may have been cut by the token limit.
    const isCut = i > 0 && i === tail.length - 1 && ours.length > 3;
    return isCut ? theirs.startsWith(ours) : ours === theirs;
  });
}

/** Cuts final closers that would be one too many, because the text behind the cursor has them. */
function cutSurplusClosers(text: string, context: Context): string {
  const closers = balance(text, context.scan).closers.filter(({ character }) =>
    ')]}'.includes(character),
  );
  const lastLine = text.lastIndexOf('\n') + 1;
  const last = text.slice(lastLine);
  // Indentation tells more than counting can: a line of closers just like the one below.
  if (lastLine > 0 && isClosers(last) && last === context.linesBelow[0]?.trimEnd())
    if ((closers.at(-1)?.end ?? 0) > lastLine) return text.slice(0, lastLine).trimEnd();

  const surplus = closers.length - context.missingClosers;
  if (surplus <= 0) return text;
  const final = /[)\]}>"'`;,:\s]*$/.exec(text)!.index;
  const cut = [...text.slice(final).matchAll(/[)\]}]/g)].slice(-surplus);
  const behind = context.closersBehind.slice(0, cut.length).join('');
  if (cut.length === 0 || cut.map(([character]) => character).join('') !== behind) return text;
  return text.slice(0, final + cut[0].index).trimEnd();
}

// ── Closers right of the cursor ──────────────────────────────────────────────────────────────

/** Replaces those closers right of the cursor which the text itself has; keeps the others. */
function fitLineEnd(text: string, context: Context): Trimmed {
  if (text.trim() === '') return NOTHING;
  const { rest, scan } = context;
  const wanted = balance(rest, scan).closers;
  const given = balance(text, scan).closers;
  let matched = 0;
  while (matched < Math.min(wanted.length, given.length)) {
    if (wanted[matched].character !== given[matched].character) break;
    matched++;
  }
  let replace = matched === 0 ? 0 : wanted[matched - 1].end;
  // Punctuation behind the closers, as in `);`, belongs to the line that the text has ended.
  const behind = rest.slice(replace).trim();
  if (/^[;,:]+$/.test(behind) && (matched > 0 || wanted.length === 0) && text.endsWith(behind))
    replace = rest.length;

  if (replace > 0 && !isSubsequence(rest.slice(0, replace), text)) {
    // The editor shows an insert only if it contains what it replaces: keep the closers instead.
    const end = given[0].end - 1;
    const insert = isClosers(text.slice(end)) ? text.slice(0, end).trimEnd() : '';
    return insert === '' ? NOTHING : { insert, replace: 0 };
  }
  return { insert: text + ownLine(text, rest.slice(replace), context), replace };
}

/** A block written between two braces leaves the closing one on a line of its own. */
function ownLine(text: string, kept: string, { linePrefix }: Context): string {
  const opensBlock = /[[({]\s*$/.test(linePrefix) && text.startsWith('\n');
  if (!opensBlock || !/^\s*[\])}]/.test(kept)) return '';
  return '\n' + /^\s*/.exec(linePrefix)![0];
}

/** All characters of `part` occur in `whole`, in this order. */
function isSubsequence(part: string, whole: string): boolean {
  let from = 0;
  for (const character of part) {
    from = whole.indexOf(character, from) + 1;
    if (from === 0) return false;
  }
  return true;
}
