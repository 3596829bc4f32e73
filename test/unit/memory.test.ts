import { strict as assert } from 'node:assert';
import { Memory } from '../../src/host/suggest/memory';
import type { Place } from '../../src/host/suggest/place';

const placeOf = (before: string, after = ''): Place => ({
  uri: 'file:///a.ts',
  path: 'a.ts',
  language: 'typescript',
  before,
  after,
});

const put = (memory: Memory, before: string, insert: string, after = '') =>
  memory.put({ place: placeOf(before, after), trimmed: { insert, replace: 0 }, lack: 'trimmed' });

describe('Memory', () => {
  it('keeps the last 200 completions', () => {
    const memory = new Memory();
    for (let i = 0; i < 250; i++) put(memory, `line ${i} `, 'x();');
    assert.equal(memory.size, 200);
    assert.equal(memory.recall(placeOf('line 49 ')), undefined);
    assert.equal(memory.recall(placeOf('line 50 x'))?.left.insert, '();');
  });

  it('drops the one that was not used for longest', () => {
    const memory = new Memory();
    for (let i = 0; i < 200; i++) put(memory, `line ${i} `, 'x();');
    memory.recall(placeOf('line 0 '));
    memory.knows(placeOf('line 1 '));
    put(memory, 'one more ', 'x();');
    put(memory, 'and one more ', 'x();');
    assert.ok(memory.recall(placeOf('line 0 ')));
    assert.equal(memory.recall(placeOf('line 1 ')), undefined);
  });

  it('is bounded in characters too', () => {
    const memory = new Memory();
    for (let i = 0; i < 60; i++) put(memory, `${i} ${'y'.repeat(1_000_000)}`, 'x();');
    assert.ok(memory.size > 10 && memory.size < 21, `${memory.size}`);
  });

  it('asks for the same language and the same text after the cursor', () => {
    const memory = new Memory();
    put(memory, 'a', 'b', '\nend');
    assert.ok(memory.knows(placeOf('a', '\nend')));
    assert.ok(memory.knows(placeOf('a', ')\nend')) === false);
    assert.ok(!memory.knows(placeOf('a', '\nEnd')));
    assert.ok(!memory.knows({ ...placeOf('a', '\nend'), language: 'rust' }));
  });

  it('is quick on a large file', () => {
    const memory = new Memory();
    const code = 'const a = 1;\n'.repeat(7_000);
    const insert = 'z'.repeat(60);
    for (let i = 0; i < 150; i++) put(memory, `${code}${i % 10}`, insert, code);
    const place = placeOf(`${code}9zz`, code);
    memory.recall(place);
    const begin = performance.now();
    for (let i = 0; i < 20; i++) assert.ok(memory.recall(place));
    const eachMs = (performance.now() - begin) / 20;
    assert.ok(eachMs < 5, `${eachMs} ms`);
  });
});
