/** Products as WGSL of three parts: what is multiplied, what multiplies it, what becomes of it. */
import { weightBindings, weightSource } from './formats';
import { read, uniformStep, write, type Binding, type Constants, type KernelSpec } from './kernel';
import type { Matrix, Piece } from './weights';
import inputPlainSource from '../../shaders/input_plain.wgsl';
import outputStoreSource from '../../shaders/output_store.wgsl';
import stepSource from '../../shaders/step.wgsl';

/** WGSL text with the constants and buffers that it needs: what a product reads or what it makes. */
export interface Fragment {
  source: string[];
  constants: Constants;
  bindings: Binding[];
}

/** Both, and the uniform step. */
export interface Ends {
  input: Fragment;
  output: Fragment;
  step: GPUBuffer;
}

/** A kernel, but for its workgroups, for output(W input(x)) with a piece of W; `kernel` multiplies. */
export function productSpec(
  label: string,
  { dtype, cols }: Matrix,
  piece: Piece,
  { input, output, step }: Ends,
  kernel: { source: string; constants: Constants; directives?: string },
): Omit<KernelSpec, 'workgroups'> {
  return {
    label,
    directives: kernel.directives,
    source: [weightSource(dtype), stepSource, ...input.source, ...output.source, kernel.source],
    constants: {
      ...{ NORM: false, WIDTH: 1, EPS: { f32: 0 } },
      BLOCKS: cols / 8,
      ROWS: piece.rows,
      ROW_OFFSET: piece.rowOffset,
      PAIR_COUNT: Math.ceil(piece.rows / 2),
      ...kernel.constants,
      ...input.constants,
      ...output.constants,
    },
    bindings: [
      ...weightBindings(piece),
      ...input.bindings,
      ...output.bindings,
      uniformStep(8, step),
    ],
  };
}

/** Rows of activations as they are. matvec_software.wgsl reads them itself. */
export function plainInput(x: GPUBuffer, isSoftware = false): Fragment {
  return { source: isSoftware ? [] : [inputPlainSource], constants: {}, bindings: [read(2, x)] };
}

/** y = product, or y += product, as the end of a product. */
export function storedOutput(y: GPUBuffer, stride: number, add: boolean): Fragment {
  return {
    source: [outputStoreSource],
    constants: { Y_STRIDE: stride, ADD: add },
    bindings: [write(4, y)],
  };
}
