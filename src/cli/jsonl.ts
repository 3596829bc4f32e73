/**
 * Lines of JSON in, lines of JSON out, each answered before the next is read.
 */
import { createInterface } from 'node:readline';
import { Fields } from '../model/fields';

/** Answers every line of `input` through `write`, with its `id`; a bad one with an `error`. */
export async function answerLines(
  input: NodeJS.ReadableStream,
  write: (line: string) => void,
  answer: (fields: Fields) => object | Promise<object>,
): Promise<void> {
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    if (line.trim() === '') continue;
    let id: unknown = null;
    try {
      const fields = new Fields(JSON.parse(line), 'line');
      id = fields.raw('id') ?? null;
      write(JSON.stringify({ id, ...(await answer(fields)) }));
    } catch (error) {
      write(JSON.stringify({ id, error: (error as Error).message }));
    }
  }
}
