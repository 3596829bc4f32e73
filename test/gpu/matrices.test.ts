/**
 * Products by matrices of a subgroup: on devices that have them against sums in double precision, with activations and
 * weights in f16; their WGSL everywhere, by Dawn's backend that runs nothing.
 */
import assert from 'node:assert/strict';
import { Gpu, type MatrixUnit } from '../../src/engine/gpu';
import { canRun, MATRIX_SHAPES, matmulByMatrices, matrixRanges } from '../../src/engine/matrices';
import { errorOf, titleOf, type Compile, type Product } from './product';

/** Of NVIDIA, AMD and Intel. */
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

/** Dawn's entry object crashes if it is collected. */
let instance: GPU | null = null;

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
      for (const product of PRODUCTS) {
        const { error } = await errorOf(gpu, product, (...parts) =>
          matmulByMatrices(...parts, shape, unit),
        );
        assert.ok(error < 1e-3, `${titleOf(product)}: relative error ${error}`);
      }
    });
  }

  it('is WGSL that Dawn takes, whatever the unit', async () => {
    const { create } = await import('webgpu');
    const features = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];
    instance = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
    const adapter = await instance.requestAdapter();
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
        const compile = (...parts: Parameters<Compile>) => matmulByMatrices(...parts, shape, unit);
        // Its limits are those of no GPU, so that pipelines may fail.
        await errorOf(runsNothing, PRODUCTS[0], compile).catch(() => {});
      }
    }
    assert.equal(modules.length, UNITS.length * MATRIX_SHAPES.length);
    for (const module of modules)
      assert.deepEqual([...(await module.getCompilationInfo()).messages], []);
    device.destroy();
  });

  it('has one shape for every number of tokens, that any device can run', () => {
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
