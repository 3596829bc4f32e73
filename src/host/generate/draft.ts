// Where generated code will go and what the model sees of it: pure text, knows no editor.
import { indentOf } from '../../text/indentation';
import { opensBlock } from '../../text/lines';
import { commentLine } from './comment';

/** What is asked for, and around which text; a selection is between `before` and `after`. */
export interface Order {
  language: string;
  before: string;
  after: string;
  isSelection: boolean;
  /** Null to go on with the code at the cursor. */
  instruction: string | null;
  /** One step of indentation. */
  indent: string;
}

/** A place for code, with what the model is shown. */
export interface Draft {
  /** Characters of `after` that stay in front of the code. */
  skip: number;
  /** What comes before the code: a line break where it begins a line of its own. */
  lead: string;
  /** The instruction as a line before the code, or null where it cannot stand there. */
  comment: string | null;
  /** What the model sees before and after the code. */
  prefix: string;
  suffix: string;
}

/** Finds the place: the cursor, the selection, or a new line below a line that is complete. */
export function draft({ language, before, after, isSelection, instruction, indent }: Order): Draft {
  if (instruction === null)
    return { skip: 0, lead: '', comment: null, prefix: before, suffix: after };
  const said = commentLine(language, instruction);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.slice(lineStart);
  if (line.trim() === '') {
    const comment = `${said}\n${line}`;
    return { skip: 0, lead: '', comment, prefix: before + comment, suffix: after };
  }
  const rest = /^[^\n]*/.exec(after)![0];
  if (!isSelection && rest.trim() === '' && /\S$/.test(line)) {
    const deeper = indentOf(line) + (opensBlock(line) ? indent : '');
    const lead = `\n${deeper}`;
    const comment = `${said}\n${deeper}`;
    const prefix = before + lead + comment;
    return { skip: rest.length, lead, comment, prefix, suffix: after.slice(rest.length) };
  }
  const prefix = `${before.slice(0, lineStart)}${indentOf(line)}${said}\n${line}`;
  return { skip: 0, lead: '', comment: null, prefix, suffix: after };
}

/** Whether code is worth showing: for an instruction it has a word in it, an empty comment has none. */
export function isAnswer(code: string, instruction: string | null): boolean {
  return instruction === null ? code !== '' : /[\p{L}\p{N}]/u.test(code);
}
