import { strict as assert } from 'node:assert';
import { moved } from '../../src/host/generate/anchor';
import { commentLine } from '../../src/host/generate/comment';
import { draft, isAnswer } from '../../src/host/generate/draft';
import { seededRandom } from '../../src/engine/sample';

const order = { language: 'python', after: '', isSelection: false, indent: '    ' };

describe('an instruction as a comment', () => {
  const cases: [string, string][] = [
    ['typescript', '// add two numbers'],
    ['python', '# add two numbers'],
    ['sql', '-- add two numbers'],
    ['html', '<!-- add two numbers -->'],
    ['css', '/* add two numbers */'],
    ['latex', '% add two numbers'],
    ['a language nobody knows', '// add two numbers'],
  ];
  for (const [language, comment] of cases)
    it(language, () => assert.equal(commentLine(language, ' add two\n numbers '), comment));
});

describe('where generated code goes', () => {
  it('an empty line: the comment, then the code with the same indentation', () => {
    const before = 'def f(a):\n    ';
    const { prefix, lead, comment, skip } = draft({ ...order, before, instruction: 'twice a' });
    assert.equal(prefix, 'def f(a):\n    # twice a\n    ');
    assert.deepEqual([lead, comment, skip], ['', '# twice a\n    ', 0]);
  });

  it('behind a complete line: a new line below, deeper where a block begins', () => {
    const place = draft({
      ...order,
      before: 'def f(a):',
      after: '\nx = 1',
      instruction: 'twice a',
    });
    assert.equal(place.prefix, 'def f(a):\n    # twice a\n    ');
    assert.deepEqual([place.lead, place.skip, place.suffix], ['\n    ', 0, '\nx = 1']);
  });

  it('keeps blanks right of the cursor in front of a new line', () => {
    const place = draft({ ...order, before: 'x = 1', after: '  \ny', instruction: 'more' });
    assert.deepEqual([place.skip, place.suffix, place.lead], [2, '\ny', '\n']);
  });

  it('inside a line: at the cursor, with the comment above the line for the model only', () => {
    const place = draft({ ...order, before: 'def f(a):\n    return ', instruction: 'twice a' });
    assert.equal(place.prefix, 'def f(a):\n    # twice a\n    return ');
    assert.deepEqual([place.lead, place.comment], ['', null]);
  });

  it('a selection is replaced where it is', () => {
    const whole = { ...order, before: 'a\n', after: '\nb', isSelection: true, instruction: 'c' };
    assert.equal(draft(whole).prefix, 'a\n# c\n');
    assert.equal(draft({ ...whole, before: 'a\nx =' }).prefix, 'a\n# c\nx =');
  });

  it('without an instruction: at the cursor, and the model sees the text as it is', () => {
    const place = draft({ ...order, before: 'a = ', after: ')', instruction: null });
    assert.deepEqual(place, { skip: 0, lead: '', comment: null, prefix: 'a = ', suffix: ')' });
  });
});

describe('what is worth showing', () => {
  const cases: [string, string | null, boolean][] = [
    ['', null, false],
    ['}', null, true],
    ['//', 'the area', false],
    ['/**\n */\n', 'the area', false],
    ['return 4;', 'the area', true],
    ['# größer', 'the area', true],
  ];
  for (const [code, instruction, expected] of cases)
    it(JSON.stringify([code, instruction]), () =>
      assert.equal(isAnswer(code, instruction), expected),
    );
});

describe('a stretch of a document', () => {
  it('stays with its text under edits elsewhere, and is lost when it is touched', () => {
    const random = seededRandom(7);
    const below = (n: number) => Math.floor(random() * n);
    let kept = 0;
    for (let round = 0; round < 500; round++) {
      const text = Array.from({ length: 40 }, (_, i) => String.fromCharCode(65 + i)).join('');
      const start = below(30);
      const end = start + below(8);
      const rangeOffset = below(40);
      const rangeLength = Math.min(below(6), 40 - rangeOffset);
      const edit = { rangeOffset, rangeLength, text: '+'.repeat(below(4)) };
      const after = text.slice(0, rangeOffset) + edit.text + text.slice(rangeOffset + rangeLength);
      const stretch = moved({ start, end }, edit);
      const isTouched = rangeOffset <= end && rangeOffset + rangeLength >= start;
      assert.equal(stretch === undefined, isTouched);
      if (!stretch) continue;
      kept++;
      assert.equal(after.slice(stretch.start, stretch.end), text.slice(start, end));
    }
    assert.ok(kept > 100);
  });
});
