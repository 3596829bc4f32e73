/**
 * The probability of every token that the device chooses, against that of its logits on the CPU.
 */
import assert from 'node:assert/strict';
import { Engine, type EngineOptions } from '../../src/engine/engine';
import { Gpu } from '../../src/engine/gpu';
import { argmax, chosen } from '../../src/engine/sample';
import type { Token } from '../../src/engine/token';
import { openCheckpoint } from '../../src/model/checkpoint';

const PROMPT = [5, 9, 2, 33, 7];
const TOKENS = 9;

describe('probability of a token', function () {
  this.timeout(60_000);
  let gpu: Gpu;
  before(async () => {
    gpu = await Gpu.open();
  });
  after(() => gpu.dispose());

  for (const kernelSet of ['subgroup', 'workgroup', 'software'] as EngineOptions['kernelSet'][]) {
    it(`is that of its logits, ${kernelSet}`, async () => {
      const checkpoint = await openCheckpoint('test/fixtures/goldens/cla');
      const options = { contextTokens: 64, kernelSet, decodeTokens: 4 };
      const engine = await Engine.load(gpu, checkpoint, options);
      try {
        await engine.prefill(PROMPT);
        const decoded: Token[] = [];
        for await (const token of engine.decode(TOKENS)) decoded.push(token);
        assert.equal(decoded.length, TOKENS);
        engine.crop(0);
        const logits = await engine.prefillWithLogits([...PROMPT, ...decoded.map(({ id }) => id)]);
        for (const [i, { id, logProbability }] of decoded.entries()) {
          const expected = chosen(logits[PROMPT.length - 1 + i], id);
          assert.equal(id, argmax(logits[PROMPT.length - 1 + i]));
          assert.ok(logProbability < 0 && Number.isFinite(logProbability));
          assert.ok(Math.abs(logProbability - expected.logProbability) < 1e-3, `token ${i}`);
        }
      } finally {
        engine.dispose();
        await checkpoint.close();
      }
    });
  }
});
