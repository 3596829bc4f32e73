/**
 * In-memory checkpoints with seeded random weights, in any dtype, for tests and benchmarks that
 * need a shape rather than a trained model.
 */
import { parseConfig, type ModelConfig } from '../src/model/config';
import { modelTensors } from '../src/model/tensors';
import type { Dtype, TensorInfo, TensorSource } from '../src/model/source';
import { seededRandom } from '../src/engine/sample';

const GROUP = 32;

/** A TensorSource that also hands out its numbers, as the engine must see them. */
export interface RandomSource extends TensorSource {
  /** The numbers after rounding to the dtype: f32, row-major. */
  values(name: string): Float32Array;
}

/** config: config.json fields. 2-D tensors get `dtype`, norms F32 around 1. */
export function randomSource(
  json: Record<string, unknown>,
  dtype: Dtype,
  seed: number,
  std = 0.08,
): RandomSource {
  const config: ModelConfig = parseConfig(json, 'config.json');
  const random = seededRandom(seed);
  const tensors = new Map<string, { info: TensorInfo; bytes: Uint8Array; values: Float32Array }>();
  const add = (name: string, shape: number[], type: Dtype, bytes: Uint8Array, v: Float32Array) =>
    tensors.set(name, {
      info: { name, dtype: type, shape, sizeBytes: bytes.byteLength },
      bytes,
      values: v,
    });
  for (const { name, shape } of modelTensors(config)) {
    const count = shape.reduce((a, b) => a * b, 1);
    const norm = shape.length === 1;
    const numbers = Float32Array.from({ length: count }, () =>
      norm ? 1 + 0.05 * normal(random) : std * normal(random),
    );
    if (norm || dtype === 'F32') {
      add(name, shape, 'F32', new Uint8Array(numbers.buffer), numbers);
    } else if (dtype === 'I8') {
      const { q, scales, values } = quantize(numbers);
      add(name, shape, 'I8', new Uint8Array(q.buffer), values);
      add(
        `${name}_scale`,
        [shape[0], shape[1] / GROUP],
        'F16',
        new Uint8Array(scales.buffer),
        values,
      );
    } else {
      const { bits, values } = dtype === 'BF16' ? toBf16(numbers) : toF16(numbers);
      add(name, shape, dtype, new Uint8Array(bits.buffer), values);
    }
  }
  const find = (name: string) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`no tensor ${name}`);
    return tensor;
  };
  return {
    name: 'random',
    config,
    tensors: modelTensors(config).map(({ name }) => find(name).info),
    totalBytes: [...tensors.values()].reduce((sum, { info }) => sum + info.sizeBytes, 0),
    info: (name) => find(name).info,
    has: (name) => tensors.has(name),
    read: (name, begin, end) => Promise.resolve(find(name).bytes.slice(begin, end)),
    values: (name) => find(name).values,
  };
}

/** A draw from the standard normal distribution (Box-Muller). */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Group-wise int8 as in models/README.md: 32 columns share a scale, rounded to f16 first. */
function quantize(numbers: Float32Array) {
  const q = new Int8Array(numbers.length);
  const scales = new Uint16Array(numbers.length / GROUP);
  const values = new Float32Array(numbers.length);
  for (let g = 0; g < scales.length; g++) {
    const group = numbers.subarray(g * GROUP, (g + 1) * GROUP);
    const largest = group.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const { bits, values: rounded } = toF16(Float32Array.of(largest / 127));
    scales[g] = bits[0];
    for (let i = 0; i < GROUP; i++) {
      const at = g * GROUP + i;
      q[at] = Math.max(-127, Math.min(127, Math.round(numbers[at] / rounded[0])));
      values[at] = q[at] * rounded[0];
    }
  }
  return { q, scales, values };
}

function toBf16(numbers: Float32Array) {
  const words = new Uint32Array(numbers.buffer.slice(0));
  const bits = Uint16Array.from(words, (u) => (u + 0x7fff + ((u >> 16) & 1)) >>> 16);
  const values = new Float32Array(Uint32Array.from(bits, (b) => b << 16).buffer);
  return { bits, values };
}

/** Rounds to half precision; exact for the normal range, to zero below it. */
function toF16(numbers: Float32Array) {
  const bits = new Uint16Array(numbers.length);
  const values = new Float32Array(numbers.length);
  for (const [i, x] of numbers.entries()) {
    const size = Math.abs(x);
    if (size < 2 ** -14) continue;
    const exponent = Math.floor(Math.log2(size));
    const fraction = Math.round((size / 2 ** exponent - 1) * 1024);
    const carry = fraction === 1024 ? 1 : 0;
    bits[i] = (x < 0 ? 0x8000 : 0) | ((exponent + carry + 15) << 10) | (carry ? 0 : fraction);
    values[i] = Math.sign(x) * 2 ** (exponent + carry) * (1 + (carry ? 0 : fraction) / 1024);
  }
  return { bits, values };
}
