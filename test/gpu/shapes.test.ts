/**
 * Awkward shapes, every dtype and every kernel set against the double-precision reference: sizes
 * that are no multiple of anything, several chunks, more positions than attention takes at once.
 */
import assert from 'node:assert/strict';
import { Engine, type EngineOptions } from '../../src/engine/engine';
import { Gpu } from '../../src/engine/gpu';
import type { KernelSet } from '../../src/engine/kernel';
import type { MatvecShape } from '../../src/engine/products';
import { seededRandom } from '../../src/engine/sample';
import type { Dtype } from '../../src/model/source';
import { relativeError } from '../compare';
import { randomSource } from '../random-source';
import { ReferenceModel } from '../reference';
import { INT8, TINY } from './tiny';

interface Case {
  title: string;
  config: Record<string, unknown>;
  dtype: Dtype;
  tokens: number;
  kernelSets?: KernelSet[];
  matvec?: EngineOptions['matvec'];
}

/** Compiling the kernels without subgroups takes long on lavapipe: some cases do for them. */
const WITH_SUBGROUPS: KernelSet[] = ['software', 'subgroup'];
const ALL: KernelSet[] = [...WITH_SUBGROUPS, 'workgroup'];

/** Several pairs at a time; units that are no multiple of the subgroups; several blocks under way. */
const MATVEC_SHAPES: MatvecShape[] = [
  { lanes: 128, units: 4, pairs: 2, depth: 1 },
  { lanes: 256, units: 3, pairs: 1, depth: 4 },
  { lanes: 32, units: 1, pairs: 2, depth: 3 },
];

const CASES: Case[] = [
  { title: 'F32', config: {}, dtype: 'F32', tokens: 19, kernelSets: ALL },
  { title: 'F16', config: {}, dtype: 'F16', tokens: 19, kernelSets: ALL },
  { title: 'BF16', config: {}, dtype: 'BF16', tokens: 19, kernelSets: ALL },
  {
    title: 'int8',
    config: INT8,
    dtype: 'I8',
    tokens: 19,
    kernelSets: ALL,
  },
  {
    title: 'int8, odd number of scales',
    config: {
      hidden_size: 32,
      intermediate_size: 160,
      vocab_size: 63,
      num_attention_heads: 4,
      head_dim: 8,
      ...INT8,
    },
    dtype: 'I8',
    tokens: 9,
  },
  {
    title: 'width and mlp no multiple of 8',
    config: { hidden_size: 52, intermediate_size: 91, head_dim: 16, rms_norm_eps: 1e-3 },
    dtype: 'BF16',
    tokens: 17,
    kernelSets: ALL,
  },
  {
    title: 'head width 8, one kv head, tied',
    config: {
      num_attention_heads: 8,
      num_key_value_heads: 1,
      head_dim: 8,
      tie_word_embeddings: true,
    },
    dtype: 'F16',
    tokens: 12,
  },
  {
    title: 'head width 136, all strict',
    config: {
      num_attention_heads: 2,
      num_key_value_heads: 2,
      head_dim: 136,
      force_nodiag: true,
    },
    dtype: 'F16',
    tokens: 12,
  },
  {
    title: 'windows, two cyclic groups',
    config: { layer_types: '1s_1_3_3s', sliding_window: 5, rope_theta: 500 },
    dtype: 'F32',
    tokens: 33,
  },
  ...MATVEC_SHAPES.map((matvec) => ({
    title: `products shared out as ${JSON.stringify(matvec)}`,
    config: { num_hidden_layers: 3, layer_types: '0_2_2', intermediate_size: 1056, ...INT8 },
    dtype: 'I8' as const,
    tokens: 10,
    kernelSets: ['subgroup' as const],
    matvec: { one: matvec },
  })),
  ...(['BF16', 'F16', 'F32'] as const).map((dtype) => ({
    title: `${dtype}, several blocks of an odd width under way`,
    config: { num_hidden_layers: 2, layer_types: '0_0', hidden_size: 517, head_dim: 8 },
    dtype,
    tokens: 5,
    kernelSets: ['subgroup' as const],
    matvec: { one: { lanes: 64, units: 2, pairs: 1, depth: 3 } },
  })),
  {
    title: 'head width 520',
    config: { num_hidden_layers: 2, layer_types: '0_0', num_attention_heads: 2, head_dim: 520 },
    dtype: 'F16',
    tokens: 5,
    kernelSets: ['subgroup'],
  },
  {
    title: 'more positions than a block of attention',
    config: { num_hidden_layers: 3, layer_types: '0_1_1', hidden_size: 32, head_dim: 8 },
    dtype: 'F32',
    tokens: 300,
    kernelSets: ['software', 'workgroup'],
  },
];

describe('shapes', function () {
  this.timeout(120_000);
  let gpu: Gpu;
  before(async () => {
    gpu = await Gpu.open();
  });
  after(() => gpu.dispose());

  for (const { title, config, dtype, tokens, kernelSets, matvec } of CASES) {
    for (const kernelSet of kernelSets ?? WITH_SUBGROUPS) {
      it(`${title}, ${kernelSet} kernels`, async () => {
        const source = randomSource({ ...TINY, ...config }, dtype, 7, 0.15);
        const random = seededRandom(3);
        const vocab = source.config.vocabSize;
        const ids = Array.from({ length: tokens }, () => Math.floor(random() * vocab));
        const reference = new ReferenceModel(source);
        const expected = ids.map((id) => reference.decode(id));

        const engine = await Engine.load(gpu, source, { kernelSet, matvec, chunkTokens: 11 });
        try {
          const logits = await engine.prefillWithLogits(ids);
          logits.forEach((row, i) => {
            const error = relativeError(row, expected[i]);
            assert.ok(error < 1e-3, `row ${i}: relative error ${error}`);
          });
          // Crop inside a chunk, go another way in one block and then token by token.
          const kept = Math.floor(tokens / 2);
          const other = ids.slice(0, 6).reverse();
          reference.crop(kept);
          const otherExpected = other.map((id) => reference.decode(id));
          engine.crop(kept);
          const again = await engine.prefillWithLogits(other.slice(0, 4));
          for (const id of other.slice(4)) again.push(...(await engine.prefillWithLogits([id])));
          again.forEach((row, i) => {
            const error = relativeError(row, otherExpected[i]);
            assert.ok(error < 1e-3, `after crop, row ${i}: relative error ${error}`);
          });
        } finally {
          engine.dispose();
        }
      });
    }
  }
});
