/**
 * Products by matrices of a subgroup against sums in double precision, with activations and weights in f16: on devices
 * that have them, and everywhere with a stand-in for the multiplication; their WGSL by Dawn's backend that runs nothing.
 */
import assert from 'node:assert/strict';
import { Gpu, type MatrixUnit } from '../../src/engine/gpu';
import { dispatch, KernelCompiler, write } from '../../src/engine/kernel';
import { normedInput } from '../../src/engine/norm';
import { layerWeights } from '../../src/engine/parameters';
import { pad8 } from '../../src/engine/precision';
import { matvecShapes, Products } from '../../src/engine/products';
import { Readback } from '../../src/engine/readback';
import { seededRandom } from '../../src/engine/sample';
import { WeightLoader } from '../../src/engine/weights';
import outputGluSource from '../../shaders/output_glu.wgsl';
import { relativeError } from '../compare';
import { normal, randomSource } from '../random-source';
import { TINY } from './tiny';
import {
  canRun,
  MATRIX_SHAPES,
  matrixProduct,
  matrixRanges,
  type MatrixShape,
} from '../../src/engine/matrices';
import { plainInput, storedOutput } from '../../src/engine/fragments';
import { errorOf, titleOf, type Compile, type Product } from './product';
import { standIn } from './stand-in';

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

/** Dawn's entry object crashes if it is collected. */
let instance: GPU | null = null;

let standInInstance: GPU | null = null;

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
      const { create } = await import('webgpu');
      standInInstance = create([FLAGS]);
      const adapter = await standInInstance.requestAdapter();
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
      like = { device, matrixUnit, assertHealthy: () => {} } as unknown as Gpu;
    });
    after(() => like?.device.destroy());

    it('products as in double precision', async function () {
      if (!like) return this.skip();
      for (const shape of STAND_IN_SHAPES) await checkAll(like, shape, like.matrixUnit!);
    });

    it('norm before, GLU after, as the usual kernel makes them', async function () {
      if (!like) return this.skip();
      const { device, matrixUnit } = like;
      const tokens = 11;
      const source = randomSource(TINY, 'BF16', 3);
      const { config } = source;
      const weights = new WeightLoader(device, source, {
        maxPieceBytes: 1e9,
        precision: 'own',
        isWhole: true,
      });
      const { gateUp, mlpNorm } = await layerWeights(weights, 0, true);
      const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
      const buffer = (size: number, kind = GPUBufferUsage.STORAGE) =>
        device.createBuffer({ size, usage: usage | kind });
      const step = buffer(20, GPUBufferUsage.UNIFORM);
      device.queue.writeBuffer(step, 0, new Uint32Array([0, tokens, 0, 0, 0]));
      const hidden = buffer(tokens * pad8(config.hiddenSize) * 4);
      const random = seededRandom(7);
      device.queue.writeBuffer(
        hidden,
        0,
        Float32Array.from({ length: hidden.size / 4 }, () => 3 * normal(random)),
      );
      const stride = pad8(config.intermediateSize);
      const input = normedInput(config, hidden, mlpNorm);
      const readback = new Readback(device);
      const made: Float32Array[] = [];
      for (const isByMatrices of [false, true]) {
        const y = buffer(tokens * stride * 4);
        const output = {
          source: [outputGluSource],
          constants: { Y_STRIDE: stride },
          bindings: [write(4, y)],
        };
        const compiler = new KernelCompiler(device);
        const kernels = isByMatrices
          ? [
              await matrixProduct(
                compiler,
                'fused',
                gateUp,
                gateUp.pieces[0],
                { input, output, step },
                STAND_IN_SHAPES[0],
                matrixUnit!,
              ),
            ]
          : await new Products(compiler, step, 'subgroup', matvecShapes('subgroup')).fused(
              'usual',
              gateUp,
              input,
              output,
              3,
            );
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        for (const kernel of kernels) dispatch(pass, kernel, { count: tokens, end: tokens });
        pass.end();
        made.push(new Float32Array(await readback.submit(encoder, [{ buffer: y, size: y.size }])));
      }
      const error = relativeError(made[1], made[0]);
      assert.ok(error < 2e-3, `relative error ${error}`);
      readback.dispose();
      weights.dispose();
    });
  });

  it('is WGSL that Dawn takes, whatever the unit', async () => {
    const { create } = await import('webgpu');
    const features = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];
    instance = create(['backend=null', FLAGS]);
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
        // Its limits are those of no GPU, so that pipelines may fail.
        await errorOf(runsNothing, PRODUCTS[0], product(shape, unit)).catch(() => {});
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
