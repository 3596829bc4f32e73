import assert from 'node:assert/strict';
import { floatsToHalves, halvesToFloats } from '../../src/engine/halves';
import { loadPlans, snapshotBudget } from '../../src/engine/memory';
import { convertRows, weightBytes, weightType } from '../../src/engine/precision';
import {
  dequantizeInt4,
  dequantizeInt8,
  quantizeInt4,
  quantizeInt8,
} from '../../src/engine/quantize';
import { seededRandom } from '../../src/engine/sample';
import { english } from '../../src/sentence';
import { normal, randomSource } from '../random-source';

const MB = 1e6;
const CONFIG = {
  model_type: 'lckv-llama',
  vocab_size: 1000,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  layer_types: '0_1',
};

/** Random numbers with a few large ones, and a group of zeros. */
function numbers(count: number): Float32Array {
  const random = seededRandom(5);
  const floats = Float32Array.from({ length: count }, (_, i) =>
    i % 97 === 0 ? 20 * normal(random) : normal(random),
  );
  return floats.fill(0, 32, 64);
}

/** The largest error of a number, as a share of its group's largest. */
function worst(actual: Float32Array, wanted: Float32Array): number {
  let most = 0;
  for (let group = 0; group < wanted.length; group += 32) {
    const size = Math.max(...wanted.subarray(group, group + 32).map(Math.abs));
    for (let i = group; i < group + 32; i++) {
      if (size === 0) assert.ok(actual[i] === 0);
      else most = Math.max(most, Math.abs(actual[i] - wanted[i]) / size);
    }
  }
  return most;
}

describe('precision', () => {
  it('every half survives the way to a single and back', () => {
    const all = Uint16Array.from({ length: 1 << 16 }, (_, half) => half);
    const back = floatsToHalves(halvesToFloats(all));
    all.forEach((half, i) => {
      const isNan = (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;
      if (!isNan) assert.equal(back[i], half);
    });
  });

  it('singles go to the nearest half, ties to even', () => {
    const cases: [number, number][] = [
      [1 + 2 ** -11, 1],
      [1 + 3 * 2 ** -11, 1 + 2 ** -9],
      [1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -10],
      [65519, 65504],
      [65520, Infinity],
      [-1e9, -Infinity],
      [2 ** -24, 2 ** -24],
      [2 ** -25, 0],
      [1.01 * 2 ** -25, 2 ** -24],
      [3 * 2 ** -25, 2 ** -23],
      [2 ** -14 - 2 ** -25, 2 ** -14],
    ];
    for (const [single, half] of cases) {
      assert.equal(halvesToFloats(floatsToHalves(Float32Array.of(single)))[0], half, `${single}`);
    }
  });

  it('int8 is off by at most half a step, and exact where it was int8', () => {
    const wanted = numbers(32 * 40);
    const quantized = quantizeInt8(wanted);
    assert.equal(quantized.values.length, wanted.length);
    const once = dequantizeInt8(quantized);
    assert.ok(worst(once, wanted) < 0.505 / 127);
    assert.deepEqual(dequantizeInt8(quantizeInt8(once)), once);
  });

  it('int4 is off by at most half a step, but a step opposite to the largest', () => {
    const wanted = numbers(32 * 40);
    const quantized = quantizeInt4(wanted);
    assert.equal(quantized.values.length, wanted.length / 2);
    const actual = dequantizeInt4(quantized);
    assert.ok(worst(actual, wanted) < 1.01 / 8);
    // On average a quarter of a step, which is an eighth of a group's largest.
    let mean = 0;
    let quarters = 0;
    for (const [i, x] of actual.entries()) {
      const group = wanted.subarray(i - (i % 32), i - (i % 32) + 32);
      mean += Math.abs(x - wanted[i]) / wanted.length;
      quarters += Math.max(...group.map(Math.abs)) / 32 / wanted.length;
    }
    assert.ok(mean < 1.05 * quarters, `${mean} of ${quarters}`);
  });

  it('int4 lies in memory as models/README.md says', () => {
    const row = Float32Array.from({ length: 32 }, (_, column) => (column % 16) - 8);
    const { values, scales } = quantizeInt4(row);
    assert.deepEqual([...halvesToFloats(scales)], [1]);
    // Columns 0…7 are -8…-1, stored as 0…7; columns 8…15 are 0…7, stored as 8…15.
    assert.deepEqual([...values.subarray(0, 8)], [0x40, 0x51, 0x62, 0x73, 0xc8, 0xd9, 0xea, 0xfb]);
  });

  it('is by matrix: narrow ones stay 16-bit, embeddings stay int8', () => {
    const info = (name: string, width: number, dtype: 'BF16' | 'F32' = 'F32') => ({
      ...{ name, dtype, shape: [8, width], sizeBytes: 0 },
    });
    assert.equal(weightType(info('a', 64), 'own'), 'F32');
    assert.equal(weightType(info('a', 64), 'int4'), 'I4');
    assert.equal(weightType(info('a', 72), 'int4'), 'F16');
    assert.equal(weightType(info('a', 72, 'BF16'), 'int8'), 'BF16');
    assert.equal(weightType(info('model.embed_tokens.weight', 64), 'int4'), 'I8');
  });

  it('converts rows of every format', () => {
    const wanted = numbers(64);
    const rows = { values: new Uint8Array(wanted.buffer), scales: null };
    assert.equal(convertRows(rows, 'F32', 'F32'), rows);
    const int8 = convertRows(rows, 'F32', 'I8');
    const back = convertRows(int8, 'I8', 'F32').values;
    assert.ok(worst(new Float32Array(back.buffer), wanted) < 0.505 / 127);
    assert.equal(convertRows(int8, 'I8', 'I4').values.length, 32);
  });
});

describe('memory of a model', () => {
  const source = randomSource(CONFIG, 'F32', 1);
  const plansFor = (choice: 'auto' | 'f16' | 'int8' | 'int4', availableBytes: number | null) =>
    loadPlans(source, choice, 512, 8, { availableBytes, maxBindingBytes: 128 * MB });
  const choose = (choice: 'auto' | 'f16' | 'int8' | 'int4', availableBytes: number | null) =>
    plansFor(choice, availableBytes)[0].precision;
  const own = weightBytes(source, 'own');

  it('is the sum of the tensors in their formats', () => {
    assert.equal(own, source.totalBytes);
    const matrices = own - 4 * 64 * 5;
    assert.equal(weightBytes(source, 'f16'), 4 * 64 * 5 + matrices / 2);
    assert.equal(weightBytes(source, 'int8'), 4 * 64 * 5 + (matrices / 4) * (1 + 2 / 32));
  });

  it('auto keeps what the files have, or takes the first smaller format that fits', () => {
    assert.equal(choose('auto', null), 'own');
    const rest = 2 * 2 * 512 * 32 * 4 + 61_000;
    assert.equal(choose('auto', own + rest), 'own');
    assert.equal(choose('auto', own / 2 + rest), 'f16');
    assert.equal(choose('auto', own / 3 + rest - 2 * 2 * 256 * 32 * 4), 'int8');
    assert.equal(choose('f16', null), 'f16');
  });

  it('gives up half of the context before precision, and says what', () => {
    const all = plansFor('auto', null).map(({ precision, contextTokens }) => [
      precision,
      contextTokens,
    ]);
    const expected = ['own', 'f16', 'int8'].flatMap((name) => [
      [name, 512],
      [name, 256],
    ]);
    assert.deepEqual(all, expected);
    assert.equal(plansFor('f16', null).length, 2);
    const said = plansFor('auto', null).map(({ reduced }) => reduced && english(reduced));
    assert.equal(said[0], null);
    assert.match(said[1]!, /it sees 256 tokens instead of 512\.$/);
    assert.match(said[5]!, /weights are kept as int8 and it sees 256 tokens/);
    const inBf16 = randomSource(CONFIG, 'BF16', 1);
    const limits = { availableBytes: null, maxBindingBytes: 128 * MB };
    // 16 bits take no less than bf16 does, and a short context stays.
    const plans = loadPlans(inBf16, 'auto', 256, 8, limits);
    assert.deepEqual(
      plans.map(({ precision }) => precision),
      ['own', 'int8'],
    );
  });

  it('too little is refused with numbers and the setting that helps', () => {
    const rest = 2 * 2 * 512 * 32 * 4 + 40_000;
    assert.throws(
      () => choose('f16', own / 3 + rest),
      /^Error: random needs [\d.]+ MB of memory \(weights as f16 .*\), but [\d.]+ MB are free\. Set lckv\.precision to int8\.$/,
    );
    assert.throws(() => choose('auto', 1000), /Choose a smaller model, lower lckv.contextTokens/);
    assert.throws(
      () => loadPlans(source, 'auto', 512, 8, { availableBytes: null, maxBindingBytes: 1e4 }),
      /keys of one layer .* Lower lckv.contextTokens/,
    );
  });

  it('earlier prompts get what was asked for, within what is left', () => {
    const MiB = 2 ** 20;
    assert.equal(snapshotBudget(undefined, 4096 * MiB, null), 256 * MiB);
    assert.equal(snapshotBudget(undefined, 256 * MiB, null), 64 * MiB);
    assert.equal(snapshotBudget(undefined, 2 ** 40, null), 512 * MiB);
    assert.equal(snapshotBudget(10 * MiB, 2 ** 40, null), 10 * MiB);
    assert.equal(snapshotBudget(undefined, 2 ** 40, 3 * MiB), 3 * MiB);
    assert.equal(snapshotBudget(undefined, 2 ** 40, -1), 0);
  });
});
