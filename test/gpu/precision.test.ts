/**
 * Every format of checkpoint loaded at every precision, against the double-precision reference on
 * the same rounded numbers.
 */
import assert from 'node:assert/strict';
import { Engine } from '../../src/engine/engine';
import { Gpu } from '../../src/engine/gpu';
import type { KernelSet } from '../../src/engine/kernel';
import { convertRows, toFloats, weightBytes, weightType } from '../../src/engine/precision';
import { dequantizeInt4 } from '../../src/engine/quantize';
import type { Dtype } from '../../src/model/source';
import { relativeError } from '../compare';
import { randomSource, type RandomSource } from '../random-source';
import { ReferenceModel } from '../reference';
import { INT8, TINY } from './tiny';

const IDS = [3, 1, 4, 1, 5, 9, 2, 6, 53, 58, 9, 7];

type Precision = 'f16' | 'int8' | 'int4';

/** The same source, its matrices' numbers as a precision rounds them. */
function rounded(source: RandomSource, precision: Precision): RandomSource {
  const values = (name: string) => {
    const info = source.info(name);
    const floats = source.values(name);
    if (info.shape.length === 1) return floats;
    const type = weightType(info, precision);
    const rows = { values: new Uint8Array(floats.slice().buffer), scales: null };
    if (type === info.dtype) return floats;
    const converted = convertRows(rows, 'F32', type);
    if (type !== 'I4') return toFloats(converted, type);
    return dequantizeInt4({ values: converted.values, scales: converted.scales! });
  };
  return { ...source, values };
}

const CASES: { dtype: Dtype; precision: Precision; sets: KernelSet[] }[] = [
  { dtype: 'F32', precision: 'f16', sets: ['software'] },
  { dtype: 'F32', precision: 'int8', sets: ['software'] },
  { dtype: 'BF16', precision: 'f16', sets: ['software'] },
  { dtype: 'BF16', precision: 'int8', sets: ['subgroup'] },
  { dtype: 'BF16', precision: 'int4', sets: ['software', 'subgroup', 'workgroup'] },
  { dtype: 'F16', precision: 'int4', sets: ['software'] },
  { dtype: 'I8', precision: 'int4', sets: ['software'] },
  { dtype: 'I8', precision: 'f16', sets: ['software'] },
];

describe('precision on the device', function () {
  this.timeout(60_000);
  let gpu: Gpu;
  before(async () => {
    gpu = await Gpu.open();
  });
  after(() => gpu.dispose());

  for (const { dtype, precision, sets } of CASES) {
    for (const kernelSet of sets) {
      it(`${dtype} as ${precision}, ${kernelSet} kernels`, async () => {
        const source = randomSource({ ...TINY, ...(dtype === 'I8' ? INT8 : {}) }, dtype, 11, 0.15);
        const reference = new ReferenceModel(rounded(source, precision));
        const expected = IDS.map((id) => reference.decode(id));
        const engine = await Engine.load(gpu, source, { precision, kernelSet, chunkTokens: 5 });
        try {
          assert.equal(engine.weightBytes, weightBytes(source, precision));
          const logits = await engine.prefillWithLogits(IDS.slice(0, 7));
          for (const id of IDS.slice(7)) logits.push(...(await engine.prefillWithLogits([id])));
          logits.forEach((row, i) => {
            const error = relativeError(row, expected[i]);
            assert.ok(error < 1e-3, `row ${i}: relative error ${error}`);
          });
        } finally {
          engine.dispose();
        }
      });
    }
  }

  it('a model that does not fit is refused before anything is on the device', async () => {
    const source = randomSource(TINY, 'BF16', 11);
    const availableBytes = weightBytes(source, 'int8');
    const loading = Engine.load(gpu, source, { availableBytes, contextTokens: 16, chunkTokens: 8 });
    await assert.rejects(loading, /random needs .* Set lckv.precision to int4\./);
  });
});
