/** How several sequences share the workgroups of a token's one dispatch. */
import assert from 'node:assert/strict';
import { sharingOf } from '../../src/engine/residentPlan';

const SHAPE = { groups: 64, lanes: 512, depth: 2 };

describe('sharing of one dispatch', () => {
  const cases: [sequences: number, options: { atOnce?: number; teams?: number }, string][] = [
    [1, { atOnce: 128 }, '1 × 64 for 1'],
    [2, { atOnce: 128 }, '2 × 64 for 1'],
    [4, { atOnce: 128 }, '4 × 32 for 1'],
    [8, { atOnce: 128 }, '2 × 64 for 4'],
    [2, {}, '2 × 32 for 1'],
    [8, { atOnce: 128, teams: 1 }, '1 × 128 for 8'],
    [4, { atOnce: 3 }, '2 × 1 for 2'],
    [4, { atOnce: 1 }, '1 × 1 for 4'],
  ];
  for (const [sequences, options, expected] of cases) {
    it(`${sequences} sequences, ${JSON.stringify(options)}: ${expected}`, () => {
      const { teams, groups, rows } = sharingOf({ ...SHAPE, ...options }, sequences);
      assert.equal(`${teams} × ${groups} for ${rows}`, expected);
    });
  }
});
