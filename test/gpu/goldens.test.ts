/**
 * The tiny checkpoints of test/fixtures/goldens against the float64 reference's logits, with
 * every variant of the kernels (made by the LCKV reference; see training/lckv_ref.py).
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Engine, type EngineOptions, type Passes } from '../../src/engine/engine';
import { Gpu } from '../../src/engine/gpu';
import { openCheckpoint } from '../../src/model/checkpoint';
import { Safetensors } from '../../src/model/safetensors';
import { argmax } from '../../src/engine/sample';
import { relativeError } from '../compare';
import { greedy } from './greedy';

const GOLDENS = 'test/fixtures/goldens';
const TOLERANCE = 2e-3;

interface Golden {
  prompt: number[];
  forced: number[];
  crop_to: number;
  other: number[];
  greedy: number[];
}

const VARIANTS: { title: string; options: EngineOptions }[] = [
  { title: 'software kernels', options: { kernelSet: 'software' } },
  { title: 'subgroup kernels', options: { kernelSet: 'subgroup', decodeTokens: 4 } },
  { title: 'workgroup kernels', options: { kernelSet: 'workgroup', decodeTokens: 3 } },
  { title: 'split weights', options: { maxWeightBytes: 10_000, decodeTokens: 1 } },
];

describe('goldens', function () {
  this.timeout(120_000);
  let gpu: Gpu;
  before(async () => {
    gpu = await Gpu.open();
  });
  after(() => gpu.dispose());

  for (const name of readdirSync(GOLDENS)) {
    for (const { title, options } of VARIANTS) {
      it(`${name}, ${title}`, async () => {
        const dir = join(GOLDENS, name);
        const golden = JSON.parse(readFileSync(join(dir, 'golden.json'), 'utf8')) as Golden;
        const expected = await readArrays(join(dir, 'golden.safetensors'));
        const checkpoint = await openCheckpoint(dir);
        // One iterated block for the whole prompt: what `nine_passes` was made with.
        const engine = await Engine.load(gpu, checkpoint, { chunkTokens: 40, ...options });
        const check = async (array: string, tokens: number[], passes: Passes) => {
          const logits = await engine.prefillWithLogits(tokens, { passes });
          compareRows(`${name} ${array} ${passes}`, logits, expected[array]);
        };
        try {
          await check('nine_passes', golden.prompt, 9);
          engine.crop(0);
          await check('exact', golden.prompt, 'exact');
          engine.crop(0);
          await check('exact', golden.prompt, 'sequential');
          for (const [i, token] of golden.forced.entries()) {
            const [logits] = await engine.prefillWithLogits([token]);
            const vocab = logits.length;
            const row = expected.decode.subarray(i * vocab, (i + 1) * vocab);
            compareRows(`${name} decode ${i}`, [logits], row);
          }
          engine.crop(golden.crop_to);
          await check('after_crop', golden.other, 'exact');
          const { tokens } = await greedy(engine, golden.prompt, golden.greedy.length);
          assert.deepEqual(tokens, golden.greedy);
        } finally {
          engine.dispose();
          await checkpoint.close();
        }
      });
    }
  }
});

function compareRows(what: string, actual: Float32Array[], expected: Float32Array): void {
  const vocab = actual[0].length;
  assert.equal(expected.length, actual.length * vocab, what);
  for (const [row, logits] of actual.entries()) {
    const reference = expected.subarray(row * vocab, (row + 1) * vocab);
    const error = relativeError(logits, reference);
    assert.ok(error < TOLERANCE, `${what}, row ${row}: relative error ${error}`);
    assert.equal(argmax(logits), argmax(reference), `${what}, row ${row}: greedy token`);
  }
}

async function readArrays(path: string): Promise<Record<string, Float32Array>> {
  const file = await Safetensors.open(path);
  const arrays: Record<string, Float32Array> = {};
  for (const name of file.entries.keys()) {
    const bytes = await file.read(name);
    arrays[name] = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  }
  await file.close();
  return arrays;
}
