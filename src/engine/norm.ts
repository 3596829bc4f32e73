/** RMSNorm (lckv.md section 2) as a kernel of its own, and as the input of a product. */
import type { ModelConfig } from '../model/config';
import { read, uniformStep, write, type Kernel, type KernelCompiler, type Range } from './kernel';
import { pad8 } from './precision';
import type { Fragment } from './fragments';
import inputNormSource from '../../shaders/input_norm.wgsl';
import rmsnormSource from '../../shaders/rmsnorm.wgsl';
import stepSource from '../../shaders/step.wgsl';

/** x = RMSNorm(h) of every new token, or of row step.logit_row only. */
export function norm(
  compiler: KernelCompiler,
  { hiddenSize: D, rmsNormEps }: ModelConfig,
  step: GPUBuffer,
  { h, weight, x }: { h: GPUBuffer; weight: Range; x: GPUBuffer },
  oneRow = false,
): Promise<Kernel> {
  return compiler.compile({
    label: 'rmsnorm',
    source: [stepSource, rmsnormSource],
    constants: { STRIDE: pad8(D), WIDTH: D, EPS: { f32: rmsNormEps }, ONE_ROW: oneRow },
    bindings: [read(0, h), read(1, weight), write(2, x), uniformStep(3, step)],
    workgroups: ({ count }) => [oneRow ? 1 : count, 1, 1],
  });
}

/** The same in front of a product with one row or a few. */
export function normedInput(
  { hiddenSize: D, rmsNormEps }: ModelConfig,
  h: GPUBuffer,
  weight: Range,
  oneRow = false,
): Fragment {
  return {
    source: [inputNormSource],
    constants: { NORM: true, WIDTH: D, EPS: { f32: rmsNormEps }, ONE_ROW: oneRow },
    bindings: [read(2, h), read(3, weight)],
  };
}
