import { strict as assert } from 'node:assert';
import { Readable } from 'node:stream';
import { trimLines } from '../../src/cli/trim';

describe('lckv trim --jsonl', () => {
  const answers = async (...lines: string[]) => {
    const written: unknown[] = [];
    await trimLines(Readable.from([lines.join('\n')]), (line) => written.push(JSON.parse(line)));
    return written as Record<string, unknown>[];
  };
  const task = { id: 1, language: 'typescript', prefix: 'foo(', suffix: ')', completion: 'a)' };

  it('answers every line, in order', async () => {
    const lines = [task, { ...task, id: 'two', completion: 'a' }].map((line) =>
      JSON.stringify(line),
    );
    assert.deepEqual(await answers(...lines, ''), [
      { id: 1, insert: 'a)', replace: 1 },
      { id: 'two', insert: 'a', replace: 0 },
    ]);
  });

  it('answers a bad line with an error and goes on', async () => {
    const bad = [JSON.stringify({ ...task, prefix: 7 }), '{"id":', '[]'];
    const [first, second, third, last] = await answers(...bad, JSON.stringify(task));
    assert.equal(first.id, 1);
    assert.match(String(first.error), /prefix: found 7, expected a string/);
    assert.deepEqual([second.id, third.id], [null, null]);
    assert.match(String(second.error), /JSON/);
    assert.equal(last.replace, 1);
  });
});
