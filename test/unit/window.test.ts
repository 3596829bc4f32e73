import { strict as assert } from 'node:assert';
import { completionWindow, isClosers } from '../../src/text/window';

/** Repeatable pseudo-random numbers below `limit` (a linear congruential generator). */
function randomSource(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Lines of code-like text, about `length` characters, some lines very long, some with emoji. */
function randomText(random: (limit: number) => number, length: number, eol = '\n'): string {
  let text = '';
  while (text.length < length) {
    const lineLength = random(20) === 0 ? random(12_000) : random(80);
    let line = '';
    while (line.length < lineLength) line += 'const x = foo(1); 🙂 '.slice(random(10));
    text += line.trimEnd() + eol;
  }
  return text.slice(0, length);
}

describe('completionWindow', () => {
  it('passes a small document whole', () => {
    assert.deepEqual(completionWindow('a\nb', 'c\nd'), { prefix: 'a\nb', suffix: 'c\nd' });
    assert.deepEqual(completionWindow('', ''), { prefix: '', suffix: '' });
  });

  it('cuts at line boundaries', () => {
    const line = 'x'.repeat(99) + '\n';
    const { prefix, suffix } = completionWindow(line.repeat(1000), 'y' + line.repeat(1000));
    assert.equal(prefix.length % 100, 0);
    assert.ok(prefix.length <= 24_000 && prefix.length > 15_900, String(prefix.length));
    assert.ok(suffix.length <= 8_000 && suffix.endsWith('\n'), String(suffix.length));
  });

  it('starts the suffix at the next line when only closers are left on this one', () => {
    for (const rest of ['', ')', '");', ' } ', '`]', ',', '>:', "');"]) {
      assert.equal(completionWindow('f(', `${rest}\nnext`).suffix, '\nnext', rest);
      assert.equal(completionWindow('f(', `${rest}\r\nnext`).suffix, '\r\nnext', rest);
      assert.equal(completionWindow('f(', rest).suffix, '', rest);
    }
  });

  it('starts the suffix at the cursor when code is left on this line', () => {
    for (const rest of ['x)', ') {', ' + 1;', '(', '// note']) {
      assert.equal(isClosers(rest), false, rest);
      assert.equal(completionWindow('f(', `${rest}\nnext`).suffix, `${rest}\nnext`);
    }
  });

  it('holds its bounds on any text', () => {
    const random = randomSource(1);
    for (let round = 0; round < 200; round++) {
      const eol = random(2) ? '\n' : '\r\n';
      const text = randomText(random, random(80_000), eol);
      const cursor = random(text.length + 1);
      const [before, after] = [text.slice(0, cursor), text.slice(cursor)];
      const { prefix, suffix } = completionWindow(before, after);
      assert.ok(before.endsWith(prefix) && after.includes(suffix));
      assert.ok(prefix.length <= 24_001 && suffix.length <= 8_000);
      assert.ok(prefix.length === before.length || prefix.length >= 8_000);
      assert.ok(!/^[\udc00-\udfff]/.test(prefix) || prefix.length === before.length);
    }
  });

  it('keeps its left edge while someone types, but for one step in 8,000 characters', () => {
    const random = randomSource(2);
    for (let round = 0; round < 10; round++) {
      const start = randomText(random, 30_000 + random(30_000));
      const typed = randomText(random, 4_000);
      const edges = new Set<number>();
      for (let i = 0; i <= typed.length; i++) {
        const before = start + typed.slice(0, i);
        edges.add(before.length - completionWindow(before, '').prefix.length);
      }
      assert.ok(edges.size <= 2, [...edges].join(' '));
    }
  });

  it('keeps the suffix while someone types at the end of a line with closers', () => {
    const after = '\n' + randomText(randomSource(3), 20_000);
    const { suffix } = completionWindow('', after);
    for (const rest of [')', '")', '");', ''])
      assert.equal(completionWindow('f(', rest + after).suffix, suffix);
  });
});
