import { strict as assert } from 'node:assert';
import { seededRandom } from '../../src/engine/sample';
import { BlockExtent } from '../../src/text/extent';

/** What passes of a completion that comes in pieces of so many characters. */
function passed(prefix: string, completion: string, size = 3, language = 'typescript') {
  const extent = new BlockExtent({ prefix, language });
  let text = '';
  let read = 0;
  while (read < completion.length && !extent.ended) {
    text += extent.take(completion.slice(read, read + size));
    read += size;
  }
  return { text: text + extent.flush(), ended: extent.ended, read };
}

describe('BlockExtent', () => {
  it('passes all that the model says of a block', () => {
    for (const [prefix, completion] of [
      ['const x = ', '1;'],
      ['class A {\n  ', 'a() {\n    return 1;\n  }\n\n  b() {}\n'],
      ['if (a) {', '\n  b();\n} else {\n  c();\n}'],
      ['class A {\n  a() {\n    ', 'b();\n  }\n}\n'],
      ['const s = `', '\nusage\n  a\nb`;'],
      ['f(', '\n  a,\n  [\nb,\n],\n)'],
      ['', 'import a;\nimport b;\n\nf();\n'],
    ]) {
      assert.deepEqual(passed(prefix, completion).text, completion);
      assert.equal(passed(prefix, completion).ended, false);
    }
  });

  it('ends where the block of the cursor ends', () => {
    const { text, ended, read } = passed('  a() {\n    ', 'b();\n  }\n\n  c() {\n    d();\n  }\n');
    assert.equal(text, 'b();\n  }\n\n');
    assert.ok(ended && read <= 'b();\n  }\n\n  c() {'.length);
  });

  it('ends with the block that it begins', () => {
    const { text, ended } = passed('function f() {', '\n  a();\n}\nfunction g() {\n  b();\n}');
    assert.equal(text, '\n  a();\n}\n');
    assert.ok(ended);
  });

  it('ends with the bracket that closes what the line opened, and not before', () => {
    const { text, ended, read } = passed('f(() => {', '\n  a({\n    b,\n  });\n});\n\ng();\n', 1);
    assert.equal(text, '\n  a({\n    b,\n  });\n});\n');
    assert.ok(ended && read === text.length);
    assert.ok(!passed('if (a) {', '\n  b();\n} else {\n  c();\n', 1).ended);
  });

  it('ends at a dedent in Python, and not at else', () => {
    const prefix = 'def f():\n    if a:\n        ';
    assert.equal(passed(prefix, 'b()\n\nc()\n', 2, 'python').text, 'b()\n\n');
    assert.equal(passed(prefix, 'b()\n    else:\n        c()', 2, 'python').ended, false);
  });

  it('ends when lines repeat', () => {
    const { text, ended } = passed('', 'a();\n'.repeat(20));
    assert.equal(text, 'a();\n'.repeat(3));
    assert.ok(ended);
    assert.ok(passed('', 'a(\n  b,\n  c,\n);\n'.repeat(9)).read <= 36);
    assert.ok(!passed('', '0,\n'.repeat(9)).ended);
  });

  it('ends when characters repeat', () => {
    const { ended, read } = passed('x = ', 'first.concat('.repeat(30));
    assert.ok(ended && read < 80);
    assert.ok(!passed('x = [', '0, '.repeat(99)).ended);
    assert.ok(!passed('// ', '-'.repeat(200)).ended);
  });

  it('leaves prose alone', () => {
    assert.ok(!passed('  - a', '\nb\n', 3, 'markdown').ended);
  });

  it('does not depend on how the text is cut, up to where it ends', () => {
    const random = seededRandom(3);
    const atoms = ['\n', '  ', 'a', 'else', '{', '}', '(', ')', ' ', '"', '`', ';', '@', 'if '];
    for (let i = 0; i < 2000; i++) {
      const count = Math.floor(random() * 16);
      const pick = () => atoms[Math.floor(random() * atoms.length)];
      const completion = Array.from({ length: count }, pick).join('');
      const prefix = ['', '  ', '  a {'][i % 3];
      const whole = passed(prefix, completion, 1000);
      const pieces = passed(prefix, completion, 1 + (i % 4));
      assert.ok(completion.startsWith(whole.text));
      assert.deepEqual([pieces.text, pieces.ended], [whole.text, whole.ended], completion);
    }
  });
});
