/**
 * Alternatives decoded together from one shared prefix: each must be what its first token leads to
 * when it is decoded alone.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Engine, type EngineOptions } from '../../src/engine/engine';
import { Gpu } from '../../src/engine/gpu';
import { largest, seededRandom } from '../../src/engine/sample';
import { openCheckpoint } from '../../src/model/checkpoint';
import { greedy } from './greedy';

const TOKENS = 6;
const PROMPT_TOKENS = 37;

const CASES: { name: string; options: EngineOptions; count: number; promptTokens?: number }[] = [
  // Two batches under way at a time.
  { name: 'sandwich-middle', options: { kernelSet: 'subgroup', decodeTokens: 2 }, count: 3 },
  { name: 'windows', options: { kernelSet: 'software' }, count: 3 },
  { name: 'lckv-w4-nodiag', options: { kernelSet: 'software' }, count: 8 },
  { name: 'cla', options: { kernelSet: 'workgroup' }, count: 2 },
  // More positions than four workgroups take at a time.
  { name: 'cla', options: { kernelSet: 'subgroup' }, count: 3, promptTokens: 700 },
  { name: 'groups', options: { kernelSet: 'subgroup', maxWeightBytes: 10_000 }, count: 2 },
  // Parts of attention joined once; products in tiles; a row more than a tile has tokens.
  { name: 'cla', options: { kernelSet: 'subgroup' }, count: 7 },
  // Fifteen products of a unit, dealt out to eight lanes in two turns.
  {
    name: 'cla',
    options: {
      kernelSet: 'subgroup',
      matvec: { few: { lanes: 64, units: 3, pairs: 3, depth: 2 } },
    },
    count: 5,
  },
  { name: 'cla', options: { kernelSet: 'subgroup', tiledRows: 3 }, count: 3 },
  { name: 'cla', options: { kernelSet: 'subgroup' }, count: 9, promptTokens: 300 },
  { name: 'windows', options: { kernelSet: 'workgroup' }, count: 17 },
  { name: 'sandwich-middle', options: { kernelSet: 'subgroup' }, count: 33 },
  { name: 'cla', options: { kernelSet: 'subgroup', maxWeightBytes: 10_000 }, count: 17 },
  { name: 'cla', options: { kernelSet: 'software' }, count: 17 },
];

describe('branches', function () {
  this.timeout(120_000);
  let gpu: Gpu;
  before(async () => {
    gpu = await Gpu.open();
  });
  after(() => gpu.dispose());

  for (const { name, options, count, promptTokens = PROMPT_TOKENS } of CASES) {
    it(`${count} of ${name} after ${promptTokens}, ${JSON.stringify(options)}: same tokens as each alone`, async () => {
      const checkpoint = await openCheckpoint(join('test/fixtures/goldens', name));
      const engine = await Engine.load(gpu, checkpoint, {
        contextTokens: promptTokens + Math.max(59, count * TOKENS),
        chunkTokens: 64,
        ...options,
      });
      try {
        const random = seededRandom(23);
        const { vocabSize } = checkpoint.config;
        const prompt = Array.from({ length: promptTokens }, () => Math.floor(random() * vocabSize));
        await engine.prefill(prompt);
        const firsts = largest(await engine.readLogits(), count);
        const steps: number[][] = [];
        for await (const ids of engine.branch(count, TOKENS)) steps.push(ids);
        assert.equal(steps.length, TOKENS);
        assert.deepEqual(steps[0], firsts);
        assert.deepEqual(engine.tokens, prompt, 'the cache is as it was');
        // After the branches the sequence goes on as if they had not been.
        for (const [branch, first] of firsts.entries()) {
          const { tokens } = await greedy(engine, [...prompt, first], TOKENS - 1);
          const together = steps.slice(1).map((ids) => ids[branch]);
          assert.deepEqual(together, tokens, `branch ${branch}`);
        }
      } finally {
        engine.dispose();
        await checkpoint.close();
      }
    });
  }

  for (const [name, kernelSet] of [
    ['cla', 'subgroup'],
    ['sandwich-middle', 'software'],
  ] as const) {
    it(`11 independent sequences of ${name}, ${kernelSet} kernels: same tokens as each alone`, async () => {
      const checkpoint = await openCheckpoint(join('test/fixtures/goldens', name));
      const options = { kernelSet, chunkTokens: 16, contextTokens: 11 * (9 + TOKENS) };
      const engine = await Engine.load(gpu, checkpoint, options);
      try {
        const random = seededRandom(29);
        const prompts = Array.from({ length: 11 }, () =>
          Array.from({ length: 9 }, () => Math.floor(random() * checkpoint.config.vocabSize)),
        );
        const steps: number[][] = [];
        for await (const ids of engine.decodeTogether(prompts, TOKENS)) steps.push(ids);
        for (const [i, prompt] of prompts.entries()) {
          engine.crop(0);
          const { tokens } = await greedy(engine, prompt, TOKENS);
          const together = steps.map((ids) => ids[i]);
          assert.deepEqual(together, tokens, `sequence ${i}`);
        }
      } finally {
        engine.dispose();
        await checkpoint.close();
      }
    });
  }

  it('refuses more branches or tokens than fit, and ids that are none', async () => {
    const checkpoint = await openCheckpoint('test/fixtures/goldens/cla');
    const engine = await Engine.load(gpu, checkpoint, { contextTokens: 40 });
    try {
      await engine.prefill([1, 2, 3]);
      await assert.rejects(() => engine.branch(65, 2).next(), /65 branches/);
      await assert.rejects(() => engine.branch(4, 10).next(), /37 of them free/);
      const { vocabSize } = engine.config;
      for (const id of [-1, 1.5, NaN, vocabSize, 2 ** 32]) {
        await assert.rejects(() => engine.prefill([1, id]), /^Error: Token id .*expected/);
        await assert.rejects(() => engine.prefillWithLogits([id]), /^Error: Token id .*expected/);
      }
      await assert.rejects(
        () => engine.prefill(Array<number>(38).fill(1)),
        /do not fit the context/,
      );
      assert.deepEqual(engine.tokens, [1, 2, 3]);
    } finally {
      engine.dispose();
      await checkpoint.close();
    }
  });
});
