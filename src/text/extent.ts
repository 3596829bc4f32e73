/**
 * Where a completion ends before the model ends it. Pure text: what is stopped here, trim.ts would
 * cut, so no token is decoded in vain; where trimming is in doubt, decoding goes on.
 */
import { balance } from './brackets';
import { indentWidth } from './indentation';
import { isClosing, isProse, opensBlock } from './lines';
import { endsInCharacterLoop, endsInLoop } from './repetition';

/** Passes a completion's text on as far as it belongs to what was asked for. */
export interface Extent {
  /** It is complete: nothing more will pass. */
  readonly ended: boolean;
  /** What of all text so far can be passed on now, behind what has been. */
  take(piece: string): string;
  /** What was held back until more is known; the model has ended. */
  flush(): string;
}

/** Passes text on until the line that holds its first non-blank character is complete, or loops. */
export class LineExtent implements Extent {
  ended = false;
  private blank = true;
  private line = '';

  /** What of the next piece belongs to the line; its line break does not. */
  take(piece: string): string {
    const first = this.blank ? piece.search(/\S/) : 0;
    if (first < 0) return piece;
    this.blank = false;
    const length = piece.slice(first).search(/[\r\n]/);
    const text = length >= 0 ? piece.slice(0, first + length) : piece;
    this.line += text;
    this.ended = length >= 0 || endsInCharacterLoop(this.line);
    return text;
  }

  /** Nothing is held back. */
  flush(): string {
    return '';
  }
}

/** A line that begins so begins something new; the last group is its first word, if complete. */
const BEGINS_ANEW = /^\s*(?:[@$"']|([A-Za-z_]\w*)(?=[^\w:]))/;

const GOES_ON =
  /^(?:else|elif|elsif|elseif|catch|except|finally|rescue|ensure|case|default|when|while|until|and|or|then|do|where|with|from|public|private|protected|end\w*|fi|done|esac)$/i;

const STRING = /(["'`])(?:\\.|(?!\1)[^\\\n])*\1|\/\/.*/g;
const LONG_QUOTES = ['"""', "'''", '`'];

/** Passes text on until the block in which it begins, or which it begins, is complete. */
export class BlockExtent implements Extent {
  ended = false;
  private readonly isCode: boolean;
  private readonly language: string;
  private readonly prefix: string;
  private readonly cursorLine: string;
  private readonly base: number;
  /** Complete lines, and the one being written, of which `passed` characters were passed on. */
  private readonly lines: string[] = [];
  private line = '';
  private passed = 0;
  /** Brackets that the complete lines leave open. */
  private depth = 0;
  /** The cursor's line opened a block, and a line inside has been seen; unknown before. */
  private begun: boolean | undefined;

  constructor({ prefix, language }: { prefix: string; language: string }) {
    this.isCode = !isProse(language);
    this.language = language;
    this.prefix = prefix;
    this.cursorLine = prefix.slice(prefix.lastIndexOf('\n') + 1);
    this.base = indentWidth(this.cursorLine);
    if (this.cursorLine.trim() === '') this.begun = false;
  }

  take(piece: string): string {
    let out = '';
    for (const part of piece.split(/(?<=\n)/)) {
      if (this.ended) break;
      this.line += part;
      if (endsInCharacterLoop(this.line)) {
        out += this.line.slice(this.passed);
        this.ended = true;
      } else if (this.isOutside()) {
        this.ended = true;
      } else if (part.endsWith('\n')) {
        out += this.line.slice(this.passed);
        this.endLine();
      } else if (this.lines.length === 0 || this.isDecided()) {
        out += this.line.slice(this.passed);
        this.passed = this.line.length;
      }
    }
    return out;
  }

  flush(): string {
    return this.ended ? '' : this.line.slice(this.passed);
  }

  private endLine(): void {
    const line = this.line.replace(/\r?\n$/, '');
    const index = this.lines.push(line) - 1;
    for (const bracket of line.replace(STRING, '').match(/[()[\]{}]/g) ?? [])
      this.depth = Math.max(0, this.depth + ('([{'.includes(bracket) ? 1 : -1));
    if (index > 0 && line.trim() !== '' && this.begun === undefined)
      this.begun = this.opensBlock() && indentWidth(line) > this.base;
    this.line = '';
    this.passed = 0;
    this.ended ||= endsInLoop(this.lines) || this.isClosed(line);
  }

  private opensBlock(): boolean {
    return opensBlock(this.cursorLine + this.lines[0]);
  }

  /** The line has begun, so that it is known to be inside. */
  private isDecided(): boolean {
    return this.passed > 0 || /^\s*(?:[^\s\w@$"']|\w+\W)/.test(this.line) || !this.isLeft();
  }

  /** The line closes what the cursor's line and the first one have left open. */
  private isClosed(line: string): boolean {
    const [first, ...more] = this.lines;
    if (
      this.cursorLine.trim() === '' ||
      more.length === 0 ||
      !isClosing(line) ||
      indentWidth(line) !== this.base
    )
      return false;
    const opening = this.cursorLine + first;
    const { language } = this;
    const wasOpen = balance(opening, { language }).open.length > 0;
    return wasOpen && balance([opening, ...more].join('\n'), { language }).open.length === 0;
  }

  /** The line begins something new left of the block, and nothing is open across lines. */
  private isOutside(): boolean {
    if (this.lines.length === 0 || this.passed > 0 || !this.isCode || !this.isLeft()) return false;
    const beginning = BEGINS_ANEW.exec(this.line);
    return beginning !== null && !GOES_ON.test(beginning[1] ?? '') && !this.isOpen();
  }

  private isLeft(): boolean {
    if (this.line.trim() === '') return true;
    const width = indentWidth(this.line);
    return this.begun ? width <= this.base : width < this.base;
  }

  /** A bracket of the completion, or a long string, is open before the line. */
  private isOpen(): boolean {
    const text = this.prefix + this.lines.join('\n');
    return this.depth > 0 || LONG_QUOTES.some((quote) => text.split(quote).length % 2 === 0);
  }
}
