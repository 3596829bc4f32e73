/**
 * Group-wise symmetric quantisation: 32 consecutive columns of a row share one f16 scale, and a
 * weight is `q * scale`. The layouts of both formats, byte by byte, are in models/README.md; they
 * are what shaders/weights_int8.wgsl and weights_int4.wgsl read.
 */
import { floatsToHalves, halvesToFloats } from './halves';

/** Columns that share a scale. */
export const GROUP = 32;

/** Quantised numbers with their scales. */
export interface Quantized {
  /** int8: one byte a number; int4: half a byte. */
  values: Uint8Array;
  /** f16, one for each GROUP numbers. */
  scales: Uint16Array;
}

/** int8: scale = max |w| / 127, q = round(w / scale) in -127…127. */
export function quantizeInt8(floats: Float32Array): Quantized {
  const scales = scalesOf(floats, (largest) => Math.abs(largest) / 127);
  const inverse = inverses(scales);
  const values = new Int8Array(floats.length);
  for (let group = 0, i = 0; group < scales.length; group++) {
    const factor = inverse[group];
    for (const end = i + GROUP; i < end; i++) {
      // To the nearest: adding 128.5 makes it positive, so that cutting the fraction is rounding.
      const q = ((floats[i] * factor + 128.5) | 0) - 128;
      values[i] = q > 127 ? 127 : q < -127 ? -127 : q;
    }
  }
  return { values: new Uint8Array(values.buffer), scales };
}

/**
 * int4: scale = w / -8 for the w of largest size, so that q = -8…7 reaches it exactly; stored as
 * q + 8. Four bytes hold 8 columns: byte j has column j in its low half and 4 + j in its high one.
 */
export function quantizeInt4(floats: Float32Array): Quantized {
  const scales = scalesOf(floats, (largest) => largest / -8);
  const inverse = inverses(scales);
  const values = new Uint8Array(floats.length / 2);
  for (let word = 0; word < values.length; word += 4) {
    const factor = inverse[Math.floor((2 * word) / GROUP)];
    for (let j = 0; j < 4; j++) {
      const low = nibble(floats[2 * word + j] * factor);
      values[word + j] = low | (nibble(floats[2 * word + 4 + j] * factor) << 4);
    }
  }
  return { values, scales };
}

/** The nearest of -8…7, plus 8. The scale makes -8 the lowest, give or take its own rounding. */
function nibble(x: number): number {
  const n = (x + 8.5) | 0;
  return n > 15 ? 15 : n;
}

/** The numbers that int8 stands for. */
export function dequantizeInt8({ values, scales }: Quantized): Float32Array {
  const q = new Int8Array(values.buffer, values.byteOffset, values.length);
  const factors = halvesToFloats(scales);
  const floats = new Float32Array(q.length);
  for (let group = 0, i = 0; group < factors.length; group++) {
    const factor = factors[group];
    for (const end = i + GROUP; i < end; i++) floats[i] = q[i] * factor;
  }
  return floats;
}

/** The numbers that int4 stands for. */
export function dequantizeInt4({ values, scales }: Quantized): Float32Array {
  const factors = halvesToFloats(scales);
  const floats = new Float32Array(values.length * 2);
  for (let i = 0; i < floats.length; i++) {
    const byte = values[((i >> 3) << 2) + (i & 3)];
    const nibble = (i & 4) === 0 ? byte & 15 : byte >> 4;
    floats[i] = (nibble - 8) * factors[(i / GROUP) | 0];
  }
  return floats;
}

/** f16 scales from each group's number of largest size, sign included. */
function scalesOf(floats: Float32Array, scale: (largest: number) => number): Uint16Array {
  const scales = new Float32Array(floats.length / GROUP);
  for (let group = 0; group < scales.length; group++) {
    let largest = 0;
    let size = 0;
    for (let i = group * GROUP; i < (group + 1) * GROUP; i++) {
      const value = floats[i];
      if (value > size || -value > size) {
        largest = value;
        size = Math.abs(value);
      }
    }
    scales[group] = scale(largest);
  }
  return floatsToHalves(scales);
}

/** What to multiply by; 0 where a group is all zeros. */
function inverses(scales: Uint16Array): Float32Array {
  return halvesToFloats(scales).map((scale) => (scale === 0 ? 0 : 1 / scale));
}
