/**
 * A model with a shortcut (ModelConfig.shortcut): passes begin with what it says, and end where they would
 * end without it.
 */
import assert from 'node:assert/strict';
import { Engine } from '../../src/engine/engine';
import { Gpu } from '../../src/engine/gpu';
import { relativeError } from '../compare';
import { randomSource } from '../random-source';
import { ReferenceModel } from '../reference';
import { INT8, TINY } from './tiny';

const FIELDS = { ...TINY, layer_types: '0_3_3_3_4', num_hidden_layers: 5 };
const PROMPT = Array.from({ length: 21 }, (_, i) => (i * 7) % 61);
const TOLERANCE = 1e-4;

describe('shortcut', function () {
  this.timeout(120_000);
  let gpu: Gpu;
  before(async () => {
    gpu = await Gpu.open();
  });
  after(() => gpu.dispose());

  for (const kernelSet of ['subgroup', 'workgroup', 'software'] as const) {
    it(`${kernelSet} kernels: any number of passes as in double precision`, async () => {
      const source = randomSource({ ...FIELDS, ...INT8, lckv_shortcut: true }, 'I8', 5, 0.1);
      const reference = new ReferenceModel(source);
      const exact = PROMPT.map((token) => reference.decode(token));
      const engine = await Engine.load(gpu, source, {
        kernelSet,
        contextTokens: 64,
        chunkTokens: 32,
      });
      try {
        for (const passes of [1, 2, 3, 'exact'] as const) {
          reference.crop(0);
          engine.crop(0);
          const wanted = passes === 'exact' ? exact : reference.prefill(PROMPT, passes);
          const found = await engine.prefillWithLogits(PROMPT, { passes });
          const error = Math.max(...found.map((row, i) => relativeError(row, wanted[i])));
          assert.ok(error < TOLERANCE, `${passes} passes: logits differ by ${error}`);
        }
      } finally {
        engine.dispose();
      }
    });
  }

  it('software kernels: takes few passes where the model is trained for them, else row after row', async () => {
    for (const [forward, passes] of [
      [1, 3],
      [2, 1],
    ]) {
      const fields = {
        ...FIELDS,
        lckv_shortcut: true,
        forward_passes: forward,
        backward_passes: 2,
      };
      const engine = await Engine.load(gpu, randomSource(fields, 'F32', 5, 0.1), {
        kernelSet: 'software',
        contextTokens: 64,
      });
      try {
        assert.equal((await engine.prefill(PROMPT, { passes: 'trained' })).passes, passes);
      } finally {
        engine.dispose();
      }
    }
  });

  it('is another beginning than zeros', () => {
    const source = randomSource({ ...FIELDS, lckv_shortcut: true }, 'F32', 5, 0.1);
    const from = (shortcut: boolean) =>
      new ReferenceModel({ ...source, config: { ...source.config, shortcut } }).prefill(PROMPT, 1);
    const [guessed, zeros] = [from(true), from(false)];
    assert.ok(relativeError(guessed[9], zeros[9]) > 100 * TOLERANCE);
    assert.deepEqual(guessed[0], zeros[0], 'the first token sees nothing');
  });

  it('chunks after the first go on from the cache', async () => {
    const source = randomSource({ ...FIELDS, lckv_shortcut: true }, 'F32', 5, 0.1);
    const reference = new ReferenceModel(source);
    const engine = await Engine.load(gpu, source, { contextTokens: 64, chunkTokens: 32 });
    try {
      reference.prefill(PROMPT, 2);
      await engine.prefill(PROMPT, { passes: 2 });
      const more = PROMPT.map((id) => (id + 3) % 61);
      const wanted = reference.prefill(more, 2);
      const found = await engine.prefillWithLogits(more, { passes: 2 });
      found.forEach((row, i) => assert.ok(relativeError(row, wanted[i]) < TOLERANCE));
    } finally {
      engine.dispose();
    }
  });
});
