/**
 * Checkpoints of any size with random bf16 weights that cost no memory: every tensor is cut from
 * one table of normal numbers, from an offset of its own. And the same as a model folder on disk.
 */
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '../src/engine/sample';
import { parseConfig } from '../src/model/config';
import type { TensorInfo, TensorSource } from '../src/model/source';
import { modelTensors } from '../src/model/tensors';
import { normal } from '../test/random-source';

/** Numbers in the table: a prime, so that no two rows of a matrix begin at the same place. */
const TABLE = 1_048_573;
/** Small weights: like trained ones, and unlike larger random ones, they converge in few passes. */
const DEVIATION = 0.02;
const WRITE_BYTES = 32 << 20;

/** A source of the shape in config.json's fields. */
export function noiseSource(json: Record<string, unknown>, name = 'random'): TensorSource {
  const config = parseConfig(json, 'config.json');
  const tensors = modelTensors(config).map(({ name, shape }): TensorInfo => ({
    name,
    dtype: 'BF16',
    shape,
    sizeBytes: 2 * shape.reduce((product, length) => product * length),
  }));
  const byName = new Map(tensors.map((info, i) => [info.name, { info, offset: i * 7919 }]));
  const weights = bf16Table(DEVIATION);
  const norms = bf16Table(0.05, 1);
  return {
    name,
    config,
    tensors,
    totalBytes: tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    has: (tensor) => byName.has(tensor),
    info: (tensor) => byName.get(tensor)!.info,
    read: (tensor, begin = 0, end) => {
      const { info, offset } = byName.get(tensor)!;
      const table = info.shape.length === 1 ? norms : weights;
      return Promise.resolve(cut(table, offset + begin / 2, ((end ?? info.sizeBytes) - begin) / 2));
    },
  };
}

/** Writes a source as a model folder, without a tokenizer. */
export async function writeCheckpoint(
  dir: string,
  json: Record<string, unknown>,
  source: TensorSource,
): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'config.json'), JSON.stringify(json));
  let at = 0;
  const header = source.tensors.map(({ name, dtype, shape, sizeBytes }) => {
    const data_offsets = [at, (at += sizeBytes)];
    return [name, { dtype, shape, data_offsets }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = await open(join(dir, 'model.safetensors'), 'w');
  try {
    await file.write(Buffer.concat([length, text]));
    for (const { name, sizeBytes } of source.tensors) {
      for (let begin = 0; begin < sizeBytes; begin += WRITE_BYTES) {
        await file.write(await source.read(name, begin, Math.min(sizeBytes, begin + WRITE_BYTES)));
      }
    }
  } finally {
    await file.close();
  }
}

function bf16Table(deviation: number, mean = 0): Uint16Array {
  const random = seededRandom(1);
  const floats = Float32Array.from({ length: TABLE }, () => mean + deviation * normal(random));
  return Uint16Array.from(new Uint32Array(floats.buffer), (word) => word >>> 16);
}

/** `count` numbers of the table from an offset on, around its end. */
function cut(table: Uint16Array, offset: number, count: number): Uint8Array {
  const numbers = new Uint16Array(count);
  for (let done = 0; done < count;) {
    const from = (offset + done) % TABLE;
    const part = table.subarray(from, Math.min(TABLE, from + count - done));
    numbers.set(part, done);
    done += part.length;
  }
  return new Uint8Array(numbers.buffer);
}
