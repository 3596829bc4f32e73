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
  memory.put(placeOf(before, after), { trimmed: { insert, replace: 0 }, lack: 'trimmed' });

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

  it('holds a text once that many begin with', () => {
    const memory = new Memory();
    const code = 'y'.repeat(1_000_000);
    for (let i = 0; i < 60; i++) put(memory, `${code}${i}`, 'x();');
    assert.equal(memory.size, 60);
  });

  it('forgets one and keeps what it shared its beginning with', () => {
    const memory = new Memory();
    for (const before of ['a.b', 'a', 'a.bc']) put(memory, before, '(1);');
    const { finished } = memory.recall(placeOf('a'))!;
    memory.drop(finished);
    memory.drop(finished);
    assert.equal(memory.size, 2);
    assert.equal(memory.recall(placeOf('a')), undefined);
    assert.equal(memory.recall(placeOf('a.b('))?.left.insert, '1);');
    assert.equal(memory.recall(placeOf('a.bc(1'))?.left.insert, ');');
  });

  it('finds of several that fit the one used last, wherever it begins', () => {
    const memory = new Memory();
    put(memory, 'a', '.b.c');
    put(memory, 'a.', 'b.d');
    assert.equal(memory.recall(placeOf('a.b'))?.left.insert, '.d');
    assert.deepEqual(
      memory.recallAll(placeOf('a.b')).map(({ insert }) => insert),
      ['.d', '.c'],
    );
    assert.equal(memory.recall(placeOf('a'))?.left.insert, '.b.c');
    assert.equal(memory.recall(placeOf('a.b'))?.left.insert, '.c');
    assert.equal(memory.recall({ ...placeOf('a.b'), uri: 'file:///b.ts' }), undefined);
  });

  it('comes back when an edit before the place is undone', () => {
    const memory = new Memory();
    put(memory, 'one\ntwo', ' three');
    assert.equal(memory.recall(placeOf('One\ntwo')), undefined);
    assert.equal(memory.recall(placeOf('one\ntwo t'))?.left.insert, 'hree');
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
