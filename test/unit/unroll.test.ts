/** Loops written out in WGSL text. */
import assert from 'node:assert/strict';
import { unrolled } from '../../src/engine/unroll';

describe('unrolled text', () => {
  it('has a line once for each number of a name that it holds, wherever it stands', () => {
    const text = 'var sum_EACH_ROW = 0.0;\nsum_EACH_ROW += x[EACH_ROW];\nreturn sum;';
    assert.equal(
      unrolled(text, { EACH_ROW: 2 }),
      [
        ...['var sum_0u = 0.0;', 'var sum_1u = 0.0;'],
        ...['sum_0u += x[0u];', 'sum_1u += x[1u];'],
        'return sum;',
      ].join('\n'),
    );
  });

  it('has a line with two names for each pair of numbers', () => {
    assert.equal(
      unrolled('s_EACH_A_EACH_B;', { EACH_A: 2, EACH_B: 2 }),
      's_0u_0u;\ns_0u_1u;\ns_1u_0u;\ns_1u_1u;',
    );
  });

  it('leaves out lines of what there is none of, and others as they are', () => {
    assert.equal(unrolled('a;\nb_EACH_A;\n\nc;', { EACH_A: 0 }), 'a;\n\nc;');
  });
});
