/**
 * Writes small checkpoints for tests: .safetensors files as the format describes them, and model
 * folders with random weights.
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../src/engine/sample';
import { parseConfig } from '../src/model/config';
import { modelTensors } from '../src/model/tensors';

/** One tensor to write. `data` is little-endian, row-major. */
export interface TensorData {
  dtype: string;
  shape: number[];
  data: Uint8Array;
}

/** config.json of a model of 4 layers for test/fixtures/tiny-tokenizer (295 tokens). */
export const tinyConfig = {
  model_type: 'lckv-llama',
  vocab_size: 295,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  rms_norm_eps: 1e-5,
  max_position_embeddings: 512,
  layer_types: '0_2_2_3',
  forward_passes: 7,
  backward_passes: 2,
  tie_word_embeddings: true,
  bos_token_id: null,
  eos_token_id: 0,
};

/** The bytes of a .safetensors file. */
export function safetensors(tensors: Record<string, TensorData>): Uint8Array {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
      const begin = end;
      end += data.length;
      return [name, { dtype, shape, data_offsets: [begin, end] }];
    }),
  );
  return safetensorsOf(JSON.stringify(header), ...Object.values(tensors).map(({ data }) => data));
}

/** The same from a header as text, so that a test can write a wrong one. */
export function safetensorsOf(header: string | Uint8Array, ...data: Uint8Array[]): Uint8Array {
  const bytes = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([length, bytes, ...data]);
}

/** Ids of the tiny tokenizer's special tokens are below this. */
const SPECIALS = 7;

/**
 * Random weights for every tensor of a config, F32, the same for the same seed. Special tokens
 * get zeros, so that they are never the likeliest.
 */
export function randomTensors(config: object, seed = 1): Record<string, TensorData> {
  const random = seededRandom(seed);
  return Object.fromEntries(
    modelTensors(parseConfig(config, 'test')).map(({ name, shape }) => {
      const count = shape.reduce((product, length) => product * length);
      const norm = shape.length === 1;
      const values = Float32Array.from({ length: count }, () => (norm ? 1 : random() * 0.6 - 0.3));
      if (/embed|lm_head/.test(name)) values.fill(0, 0, SPECIALS * shape[1]);
      return [name, { dtype: 'F32', shape, data: new Uint8Array(values.buffer) }];
    }),
  );
}

/** A model folder with the tiny tokenizer; removed by `remove`. */
export async function tinyModel(
  config: object = tinyConfig,
  tensors: Record<string, TensorData> = randomTensors(config),
): Promise<{ dir: string; remove: () => Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), 'lckv-'));
  const dir = join(root, 'tiny');
  await mkdir(dir);
  await writeFile(join(dir, 'config.json'), JSON.stringify(config));
  await writeFile(join(dir, 'model.safetensors'), safetensors(tensors));
  await cp('test/fixtures/tiny-tokenizer/tokenizer.json', join(dir, 'tokenizer.json'));
  return { dir, remove: () => rm(root, { recursive: true }) };
}
