/**
 * `lckv trim --jsonl`: what an editor would insert of given completions, one line of JSON each.
 * Loads no model.
 */
import { parseArgs } from 'node:util';
import { trimCompletion } from '../text/trim';
import { answerLines } from './jsonl';
import { UsageError } from './usage';

/** Runs the command; throws UsageError for arguments it does not understand. */
export async function trim(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { jsonl: { type: 'boolean', default: false } } });
  if (!values.jsonl) throw new UsageError('trim takes --jsonl, and lines on stdin.');
  await trimLines(process.stdin, (line) => console.log(line));
}

/** Answers every line of `input` through `write`, in order. */
export function trimLines(
  input: NodeJS.ReadableStream,
  write: (line: string) => void,
): Promise<void> {
  return answerLines(input, write, (fields) =>
    trimCompletion({
      language: fields.string('language', 'plaintext'),
      prefix: fields.string('prefix'),
      suffix: fields.string('suffix', ''),
      completion: fields.string('completion'),
    }),
  );
}
