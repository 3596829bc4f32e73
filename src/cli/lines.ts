/**
 * `lckv complete --jsonl`: one completion per line of JSON, for scripts.
 */
import type { Fields } from '../model/fields';
import { GREEDY, type Timings } from '../protocol';
import { trimCompletion } from '../text/trim';
import { completionWindow } from '../text/window';
import type { Session } from '../worker/session';
import { answerLines } from './jsonl';

/** One line of input. `prefix` and `suffix` are all of the text around the cursor. */
interface Task {
  path: string;
  language: string;
  prefix: string;
  suffix: string;
  maxTokens: number;
}

/** Answers every line of `input` through `write`, in order. */
export async function completeLines(
  session: Session,
  input: NodeJS.ReadableStream,
  write: (line: string) => void,
  maxTokens: number,
): Promise<void> {
  await answerLines(input, write, (fields) => answer(session, parseTask(fields, maxTokens)));
}

function parseTask(fields: Fields, maxTokens: number): Task {
  return {
    path: fields.string('path', 'untitled'),
    language: fields.string('language', 'plaintext'),
    prefix: fields.string('prefix'),
    suffix: fields.string('suffix', ''),
    maxTokens: fields.integer('maxTokens', 1, 1 << 16, maxTokens),
  };
}

/** The model's text as it is, and what of it an editor would insert. */
async function answer(
  session: Session,
  { path, language, prefix, suffix, maxTokens }: Task,
): Promise<{ completion: string; raw: string; timings: Timings }> {
  const pieces = session.complete({
    path,
    language,
    ...completionWindow(prefix, suffix),
    snippets: [],
    maxTokens,
    extent: 'block',
    sampling: GREEDY,
  });
  let raw = '';
  for (;;) {
    const { value, done } = await pieces.next();
    if (!done) {
      raw += value;
      continue;
    }
    const { insert } = trimCompletion({ language, prefix, suffix, completion: raw });
    return { completion: insert, raw, timings: value.timings };
  }
}
