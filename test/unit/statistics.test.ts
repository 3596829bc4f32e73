import { strict as assert } from 'node:assert';
import type { Outcome } from '../../src/host/suggest/outcome';
import { describeSummary, Statistics, summaryFacts } from '../../src/host/suggest/statistics';

const suggestion = (source: 'model' | 'running' | 'memory', isNew: boolean): Outcome => ({
  kind: 'suggestion',
  trimmed: { insert: 'x', replace: 0 },
  others: [],
  source,
  isNew,
});

const nothing: Outcome = { kind: 'nothing', reason: { kind: 'blank' } };

function count(...outcomes: [Outcome, number][]): Statistics {
  const statistics = new Statistics();
  for (const [outcome, elapsedMs] of outcomes) statistics.add({ outcome, at: 0, elapsedMs });
  return statistics;
}

describe('Statistics', () => {
  it('have no summary before a suggestion', () => {
    const statistics = count([nothing, 5]);
    assert.equal(statistics.summary, undefined);
    assert.equal(statistics.last?.outcome, nothing);
  });

  it('count what is shown once, however long it is typed through', () => {
    const statistics = count(
      [suggestion('model', true), 100],
      [suggestion('memory', false), 1],
      [nothing, 900],
      [suggestion('memory', false), 2],
      [suggestion('running', true), 40],
    );
    statistics.accept();
    const expected = { shown: 2, accepted: 1, p50Ms: 2, p95Ms: 100, reused: 0.75, kept: 0.5 };
    assert.equal(statistics.summary!.kept, undefined);
    statistics.keep(10, 15);
    statistics.keep(0, 5);
    assert.deepEqual(statistics.summary, expected);
    assert.match(
      describeSummary(expected),
      /^1 of 2 suggestions accepted, median 2 ms, 95 % within 100 ms.*50 % kept after 30 s$/,
    );
  });

  it('tell the page how much was kept, once it is known', () => {
    const statistics = count([suggestion('model', true), 100]);
    const kept = () => summaryFacts(statistics.summary).at(-1);
    assert.deepEqual(kept(), ['Still there after 30 s', 'not yet known']);
    statistics.keep(3, 4);
    assert.deepEqual(kept(), ['Still there after 30 s', '75 %']);
  });

  it('take latencies from the last 200 suggestions', () => {
    const times = Array.from({ length: 300 }, (_, i): [Outcome, number] => [
      suggestion('model', true),
      i,
    ]);
    const { p50Ms, p95Ms, shown } = count(...times).summary!;
    assert.deepEqual([p50Ms, p95Ms, shown], [199, 289, 300]);
  });
});
