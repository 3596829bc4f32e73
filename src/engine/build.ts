/**
 * A model on the device by the first plan that the device has room for. Only the driver of a
 * graphics card knows how much that is, and says so when it is asked for more.
 */
import type { TensorSource } from '../model/source';
import { Fault, say } from '../sentence';
import { KvCache } from './cache';
import { watchErrors } from './errors';
import { reported, type Gpu } from './gpu';
import { KernelCompiler } from './kernel';
import type { LoadPlan } from './memory';
import { Model } from './model';
import type { KernelChoice } from './operations';
import { WeightLoader, type WeightOptions } from './weights';

export interface BuildOptions extends Omit<WeightOptions, 'precision' | 'isWhole'> {
  chunkTokens: number;
  kernels: KernelChoice;
}

/** What a model takes of the device; whoever builds it disposes the parts. */
export interface Built {
  plan: LoadPlan;
  cache: KvCache;
  weights: WeightLoader;
  model: Model;
  compiler: KernelCompiler;
}

/** Builds by one plan after the other; throws a sentence with a remedy when there is room for none. */
export async function buildModel(
  gpu: Gpu,
  source: TensorSource,
  plans: readonly LoadPlan[],
  options: BuildOptions,
): Promise<Built> {
  let shortage = '';
  for (const plan of plans) {
    // A device may have room for many buffers where it has none for one so large.
    for (const isWhole of [true, false]) {
      const built = await attempt(gpu, source, plan, { ...options, isWhole });
      if (typeof built !== 'string') return built;
      shortage = built;
    }
  }
  throw new Fault(
    say`The GPU has not enough memory for this model (${shortage}). Choose a smaller model, a shorter context or a smaller lckv.precision, or close other programs that use the GPU.`,
  );
}

/** What was built, or the driver's words when its memory did not suffice. */
async function attempt(
  { device, matrixUnit }: Gpu,
  source: TensorSource,
  plan: LoadPlan,
  { chunkTokens, kernels, ...options }: BuildOptions & { isWhole: boolean },
): Promise<Built | string> {
  const errors = watchErrors(device);
  const cache = new KvCache(device, source.config, plan.contextTokens, options.isWhole);
  const weights = new WeightLoader(device, source, { ...options, precision: plan.precision });
  const compiler = new KernelCompiler(device, matrixUnit);
  const building = Model.build(compiler, source.config, cache, weights, chunkTokens, kernels);
  const built = await building.catch((error: unknown) => error);
  const { shortage, fault } = await errors();
  if (built instanceof Model && !shortage && !fault) {
    return { plan, cache, weights, model: built, compiler };
  }
  if (built instanceof Model) built.dispose();
  weights.dispose();
  cache.dispose();
  if (shortage) return shortage;
  throw fault ? reported(fault) : built;
}
