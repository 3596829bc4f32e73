/** How kernels read weights: WGSL by their format on the device, and bindings. */
import { read, type Binding } from './kernel';
import type { WeightType } from './precision';
import type { Piece } from './weights';
import bf16Source from '../../shaders/weights_bf16.wgsl';
import f16Source from '../../shaders/weights_f16.wgsl';
import f32Source from '../../shaders/weights_f32.wgsl';
import int4Source from '../../shaders/weights_int4.wgsl';
import int8Source from '../../shaders/weights_int8.wgsl';
import rowsSource from '../../shaders/weights_rows.wgsl';

/** WGSL that declares the bindings 0 and 1 of weights and reads blocks of 8 columns, by format. */
export const WEIGHT_FORMATS: Record<WeightType, string> = {
  F32: f32Source,
  F16: f16Source,
  BF16: bf16Source,
  I8: int8Source,
  I4: int4Source,
};

/** The same for one matrix: `load8(row, block)`. */
export function weightSource(type: WeightType): string {
  return WEIGHT_FORMATS[type] + rowsSource;
}

export function weightBindings({ values, scales }: Piece): Binding[] {
  return scales ? [read(0, values), read(1, scales)] : [read(0, values)];
}
