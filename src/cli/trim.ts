/**
 * `lckv trim --jsonl`: what an editor would insert of given completions, one line of JSON each.
 * Loads no model.
 */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Fields } from '../model/fields';
import { trimCompletion } from '../text/trim';
import { UsageError } from './usage';

/** Runs the command; throws UsageError for arguments it does not understand. */
export async function trim(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { jsonl: { type: 'boolean', default: false } } });
  if (!values.jsonl) throw new UsageError('trim takes --jsonl, and lines on stdin.');
  await trimLines(process.stdin, (line) => console.log(line));
}

/** Answers every line of `input` through `write`, in order; a bad one with an error. */
export async function trimLines(
  input: NodeJS.ReadableStream,
  write: (line: string) => void,
): Promise<void> {
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    if (line.trim() === '') continue;
    let id: unknown = null;
    try {
      const fields = new Fields(JSON.parse(line), 'line');
      id = fields.raw('id') ?? null;
      const trimmed = trimCompletion({
        language: fields.string('language', 'plaintext'),
        prefix: fields.string('prefix'),
        suffix: fields.string('suffix', ''),
        completion: fields.string('completion'),
      });
      write(JSON.stringify({ id, ...trimmed }));
    } catch (error) {
      write(JSON.stringify({ id, error: (error as Error).message }));
    }
  }
}
