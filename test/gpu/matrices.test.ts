/**
 * Products by matrices of a subgroup against sums in double precision, with activations and weights in f16: on devices
 * that have them, and everywhere with a stand-in for the multiplication; their WGSL by Dawn's backend that runs nothing.
 */
import assert from 'node:assert/strict';
import { Engine } from '../../src/engine/engine';
import { plainInput, storedOutput } from '../../src/engine/fragments';
import { Gpu, type MatrixUnit } from '../../src/engine/gpu';
import { loadParts } from '../../src/engine/load';
import {
  canRun,
  MATRIX_SHAPES,
  matrixProduct,
  matrixRanges,
  type MatrixShape,
} from '../../src/engine/matrices';
import { Model } from '../../src/engine/model';
import { isNearTogether } from '../../src/engine/timing';
import type { ModelConfig } from '../../src/model/config';
import { relativeError } from '../compare';
import { randomSource } from '../random-source';
import { errorOf, titleOf, type Compile, type Product } from './product';
import { standIn } from './stand-in';
import { TINY } from './tiny';

/** As NVIDIA's, and one with less of everything. */
const UNITS: readonly MatrixUnit[] = [
  { tokens: 16, rows: 16, columns: 16, lanes: 32 },
  { tokens: 8, rows: 16, columns: 16, lanes: 16 },
];

const PRODUCTS: Product[] = [
  { dtype: 'I8', tokens: 37, cols: 96, rows: 160 },
  { dtype: 'BF16', tokens: 17, cols: 91, rows: 53, add: true },
  { dtype: 'F32', tokens: 1, cols: 40, rows: 61 },
  { dtype: 'BF16', tokens: 67, cols: 24, rows: 60, maxPieceBytes: 23 * 24 * 2 },
];

/** Several of everything, and little of it, as a CPU takes long to compile them. */
const STAND_IN_SHAPES: MatrixShape[] = [
  { rowSubgroups: 2, tokenSubgroups: 1, ownRows: 1, ownTokens: 2, parts: 2, depth: 4 },
  { rowSubgroups: 1, tokenSubgroups: 2, ownRows: 2, ownTokens: 1, parts: 1, depth: 2 },
];

/** Dawn's flags, without which a device offers less. */
const FLAGS = 'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia';

/** Compiles a product with the rows of a buffer, into another. */
function product(shape: MatrixShape, unit: MatrixUnit): Compile {
  return (compiler, matrix, piece, { x, y, stride, add, step }) => {
    const ends = { input: plainInput(x), output: storedOutput(y, stride, add), step };
    return matrixProduct(compiler, 'product', matrix, piece, ends, shape, unit);
  };
}

/** Dawn's entry objects: it crashes if one is collected. */
const instances: GPU[] = [];

/** An adapter of Dawn's for its experiments. */
async function openAdapter(...flags: string[]): Promise<GPUAdapter | null> {
  const { create } = await import('webgpu');
  const instance = create([FLAGS, ...flags]);
  instances.push(instance);
  return instance.requestAdapter();
}

async function checkAll(gpu: Gpu, shape: MatrixShape, unit: MatrixUnit): Promise<void> {
  for (const one of PRODUCTS) {
    const { error } = await errorOf(gpu, one, product(shape, unit));
    assert.ok(error < 1e-3, `${titleOf(one)} in ${JSON.stringify(shape)}: relative error ${error}`);
  }
}

describe('matrices of a subgroup', function () {
  this.timeout(120_000);
  let gpu: Gpu;
  before(async () => {
    gpu = await Gpu.open();
  });
  after(() => gpu.dispose());

  for (const shape of MATRIX_SHAPES) {
    it(`${JSON.stringify(shape)}: products as in double precision`, async function () {
      const unit = gpu.matrixUnit;
      if (!unit) return this.skip();
      await checkAll(gpu, shape, unit);
    });
  }

  describe('with a stand-in for the multiplication', () => {
    let like: Gpu | null = null;
    before(async () => {
      const features = ['shader-f16', 'subgroups'] as const;
      const adapter = await openAdapter();
      if (!adapter || !features.every((name) => adapter.features.has(name))) return;
      const { maxComputeInvocationsPerWorkgroup: lanes } = adapter.limits;
      const device = await adapter.requestDevice({
        requiredFeatures: [...features],
        requiredLimits: {
          maxComputeInvocationsPerWorkgroup: lanes,
          maxComputeWorkgroupSizeX: lanes,
        },
      });
      standIn(device);
      const matrixUnit = { ...UNITS[1], lanes: adapter.info.subgroupMaxSize! };
      const fields = { device, matrixUnit, info: gpu.info };
      like = Object.assign(Object.create(Gpu.prototype), fields) as Gpu;
    });
    after(() => like?.device.destroy());

    it('products as in double precision', async function () {
      if (!like) return this.skip();
      for (const shape of STAND_IN_SHAPES) await checkAll(like, shape, like.matrixUnit!);
    });

    it('a model: prompt and branches as with the usual kernels', async function () {
      if (!like) return this.skip();
      const prompt = Array.from({ length: 21 }, (_, i) => (i * 7) % 61);
      const run = async (on: Gpu, matrices?: MatrixShape) => {
        const source = randomSource(TINY, 'BF16', 11, 0.15);
        const options = { contextTokens: 64, chunkTokens: 24, kernelSet: 'subgroup' } as const;
        const engine = await Engine.load(on, source, { ...options, matrices });
        try {
          await engine.prefill(prompt);
          const logits = await engine.readLogits();
          const steps: number[][] = [];
          for await (const ids of engine.branch(4, 6)) steps.push(ids);
          return { logits, steps };
        } finally {
          engine.dispose();
        }
      };
      const usual = await run(gpu);
      const found = await run(like, STAND_IN_SHAPES[0]);
      const error = relativeError(found.logits, usual.logits);
      assert.ok(error < 5e-3 && error > 1e-7, `logits differ by ${error}`);
      assert.deepEqual(found.steps, usual.steps);
    });

    it('tuning tells sequences that are near from those that are not', async function () {
      if (!like) return this.skip();
      const source = randomSource(TINY, 'BF16', 11, 0.15);
      const options = { contextTokens: 64, chunkTokens: 24, kernelSet: 'subgroup' } as const;
      const parts = await loadParts(like, source, options);
      const { compiler, config, cache, weights, model } = parts;
      const isNear = async (of: ModelConfig) => {
        const kernels = { set: 'subgroup', matrices: STAND_IN_SHAPES[0] } as const;
        const other = await Model.build(compiler, of, cache, weights, 24, kernels);
        const result = await isNearTogether(like!, [model, other], cache, config);
        other.dispose();
        return result;
      };
      assert.equal(await isNear(config), true);
      assert.equal(await isNear({ ...config, rmsNormEps: 1 }), false);
      for (const part of [parts.snapshots, model, cache, weights]) part.dispose();
    });
  });

  it('is WGSL that Dawn takes, whatever the unit', async () => {
    const features = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];
    const adapter = await openAdapter('backend=null');
    const device = await adapter!.requestDevice({ requiredFeatures: features as GPUFeatureName[] });
    const modules: GPUShaderModule[] = [];
    const createModule = device.createShaderModule.bind(device);
    device.createShaderModule = (descriptor) => {
      const module = createModule(descriptor);
      modules.push(module);
      return module;
    };
    const runsNothing = { device, matrixUnit: null, assertHealthy: () => {} } as unknown as Gpu;
    for (const unit of UNITS) {
      for (const shape of MATRIX_SHAPES) {
        // Its limits are those of no GPU, so that pipelines may fail.
        await errorOf(runsNothing, PRODUCTS[0], product(shape, unit)).catch(() => {});
      }
    }
    assert.equal(modules.length, UNITS.length * MATRIX_SHAPES.length);
    for (const module of modules) {
      assert.deepEqual([...(await module.getCompilationInfo()).messages], []);
    }
    device.destroy();
  });

  it('has one shape for every number of tokens, that this device can run', () => {
    for (const unit of UNITS) {
      for (const rows of [1, 61, 512, 2048, 32000]) {
        const ranges = matrixRanges(rows, unit, gpu.device);
        for (let tokens = 1; tokens <= 3000; tokens++) {
          const those = ranges.filter(({ range: [from, to] }) => from <= tokens && tokens <= to);
          assert.equal(those.length, 1, `${rows} rows, ${tokens} tokens`);
          assert.ok(canRun(those[0].shape, unit, gpu.device));
        }
      }
    }
  });
});
