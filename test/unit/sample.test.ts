import assert from 'node:assert/strict';
import { argmax, sample, seededRandom } from '../../src/engine/sample';

const LOGITS = Float32Array.of(1, 3, 2, 3, -5);
const ALL = { temperature: 1, topK: 0, topP: 1, seed: 1 };

describe('sampling', () => {
  it('is greedy at temperature 0, the lowest id first', () => {
    assert.equal(argmax(LOGITS), 1);
    assert.equal(
      sample(LOGITS, { ...ALL, temperature: 0 }, () => 0.99),
      1,
    );
  });

  it('draws in proportion to the softmax', () => {
    const counts = draw(ALL, 20_000);
    const weights = Array.from(LOGITS, Math.exp);
    const total = weights.reduce((a, b) => a + b);
    weights.forEach((weight, id) => {
      assert.ok(Math.abs(counts[id] / 20_000 - weight / total) < 0.015, `${id}: ${counts[id]}`);
    });
  });

  it('flattens with the temperature', () => {
    const [cold, hot] = [0.3, 5].map((temperature) => draw({ ...ALL, temperature }, 5_000)[2]);
    assert.ok(hot > 2 * cold, `${cold} cold, ${hot} hot`);
  });

  it('keeps the k likeliest', () => {
    const counts = draw({ ...ALL, topK: 2 }, 2_000);
    assert.deepEqual([counts[0], counts[2], counts[4]], [0, 0, 0]);
    assert.ok(counts[1] > 800 && counts[3] > 800);
  });

  it('keeps the smallest set with probability p', () => {
    // 1 and 3 have 0.40 each, 2 has 0.15: two do for 0.7, three for 0.9.
    assert.equal(draw({ ...ALL, topP: 0.7 }, 2_000)[2], 0);
    const counts = draw({ ...ALL, topP: 0.9 }, 2_000);
    assert.ok(counts[2] > 200);
    assert.equal(counts[0], 0);
  });

  it('never draws beyond the end, whatever the random number', () => {
    assert.equal(
      sample(LOGITS, { ...ALL, topP: 1e-9 }, () => 0.999999),
      1,
    );
    assert.equal(
      sample(LOGITS, ALL, () => 1 - 2 ** -32),
      4,
    );
  });

  it('repeats itself for the same seed only', () => {
    const numbers = (seed: number) => Array.from({ length: 5 }, seededRandom(seed));
    assert.deepEqual(numbers(7), numbers(7));
    assert.notDeepEqual(numbers(7), numbers(8));
    assert.ok(numbers(7).every((x) => x >= 0 && x < 1));
  });
});

function draw(sampling: typeof ALL, times: number): number[] {
  const random = seededRandom(3);
  const counts = Array.from(LOGITS, () => 0);
  for (let i = 0; i < times; i++) counts[sample(LOGITS, sampling, random)]++;
  return counts;
}
