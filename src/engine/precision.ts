/**
 * In which format the weights lie on the device, and how a checkpoint's rows become that.
 */
import type { Dtype, TensorInfo, TensorSource } from '../model/source';
import { brainFloatsToFloats, floatsToHalves, halvesToFloats } from './halves';
import { dequantizeInt8, GROUP, quantizeInt4, quantizeInt8 } from './quantize';

/** `own`: as the checkpoint has it. `f16` keeps bf16, which takes as much. */
export type Precision = 'own' | 'f16' | 'int8' | 'int4';

/** How a matrix is stored on the device: a checkpoint's formats, and int4. */
export type WeightType = Dtype | 'I4';

/** Rows of a matrix, end to end, in some format; scales with the quantised ones. */
export interface Rows {
  values: Uint8Array;
  scales: Uint16Array | null;
}

const BITS: Record<WeightType, number> = { F32: 32, F16: 16, BF16: 16, I8: 8, I4: 4 };
const SCALE_BYTES = 2;

/** Rounds up to a multiple of 8: the stride of every activation row and weight row. */
export function pad8(count: number): number {
  return Math.ceil(count / 8) * 8;
}

/** Bytes of a number of columns, without scales. */
export function rowBytes(type: WeightType, columns: number): number {
  return (columns * BITS[type]) / 8;
}

export function isQuantized(type: WeightType): boolean {
  return type === 'I8' || type === 'I4';
}

/**
 * The format of a matrix on the device. Rows that are no multiple of 32 wide stay 16-bit, and with
 * int4 the embedding and lm_head are int8: they are a small part of the work and the most delicate.
 */
export function weightType({ name, dtype, shape }: TensorInfo, precision: Precision): WeightType {
  if (precision === 'own') return dtype;
  if (precision === 'f16' || shape[1] % GROUP !== 0) return dtype === 'BF16' ? 'BF16' : 'F16';
  return precision === 'int4' && !isTable(name) ? 'I4' : 'I8';
}

/** Bytes of all weights on the device. */
export function weightBytes({ tensors }: TensorSource, precision: Precision): number {
  return tensors.reduce((sum, info) => sum + tensorBytes(info, precision), 0);
}

/** Bytes of one tensor on the device. */
export function tensorBytes(info: TensorInfo, precision: Precision): number {
  const { shape } = info;
  if (shape.length === 1) return pad8(shape[0]) * 4;
  const type = weightType(info, precision);
  const columns = pad8(shape[1]);
  const scales = isQuantized(type) ? (columns / GROUP) * SCALE_BYTES : 0;
  return shape[0] * (rowBytes(type, columns) + scales);
}

/** Whether a tensor has a row for each token id: embedding or lm_head. */
export function isTable(name: string): boolean {
  return /embed_tokens|lm_head/.test(name);
}

/** Rows in another format; equal formats pass through. */
export function convertRows(rows: Rows, from: Dtype, to: WeightType): Rows {
  if (from === to) return rows;
  const floats = toFloats(rows, from);
  switch (to) {
    case 'I8':
      return quantizeInt8(floats);
    case 'I4':
      return quantizeInt4(floats);
    case 'F32':
      return { values: new Uint8Array(floats.buffer), scales: null };
    case 'F16':
    case 'BF16':
      return { values: new Uint8Array(floatsToHalves(floats).buffer), scales: null };
  }
}

/** The numbers as f32. */
export function toFloats({ values, scales }: Rows, from: Dtype): Float32Array {
  const { buffer, byteOffset, byteLength } = values;
  switch (from) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case 'F16':
      return halvesToFloats(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case 'BF16':
      return brainFloatsToFloats(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case 'I8':
      return dequantizeInt8({ values, scales: scales! });
  }
}
