/**
 * Kernels chosen by measuring: found out once, kept in a file, used again; never on a CPU, and a
 * file that holds nonsense is as good as none.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine, type EngineOptions } from '../../src/engine/engine';
import { Gpu } from '../../src/engine/gpu';
import { allowed, type Tuning, type Tunings } from '../../src/engine/tuning';
import { TuningFile } from '../../src/worker/tunings';
import { randomSource } from '../random-source';
import { greedy } from './greedy';
import { TINY } from './tiny';

const PROMPT = [3, 1, 4, 1, 5, 9, 2, 6];

describe('tuning', function () {
  this.timeout(120_000);
  const source = randomSource(TINY, 'BF16', 11, 0.15);
  let gpu: Gpu;
  let folder: string;
  let path: string;
  before(async () => {
    gpu = await Gpu.open();
  });
  after(() => gpu.dispose());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lckv-tuning-'));
    path = join(folder, 'new', 'tuning.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Loads and decodes; returns the tokens and what was asked of the file. */
  async function tokensWith(
    options: EngineOptions,
  ): Promise<{ tokens: number[]; calls: string[] }> {
    const file = new TuningFile(path);
    const calls: string[] = [];
    const tunings: Tunings = {
      async read(key) {
        const shape = await file.read(key);
        calls.push(shape ? 'found' : 'nothing');
        return shape;
      },
      async write(key, shape) {
        calls.push('kept');
        await file.write(key, shape);
      },
    };
    const engine = await Engine.load(gpu, source, { contextTokens: 64, tunings, ...options });
    try {
      return { tokens: (await greedy(engine, PROMPT, 8)).tokens, calls };
    } finally {
      engine.dispose();
    }
  }

  it('finds a shape, keeps it and uses it again, at the same tokens', async () => {
    const options = { kernelSet: 'subgroup', chunkTokens: 8 } as const;
    const { tokens } = await tokensWith({ ...options, tunings: undefined });
    assert.deepEqual(await tokensWith(options), { tokens, calls: ['nothing', 'kept', 'kept'] });
    const kept = Object.values(JSON.parse(readFileSync(path, 'utf8')) as Record<string, Tuning>);
    assert.equal(kept.length, 1);
    assert.deepEqual(await tokensWith(options), { tokens, calls: ['found'] });
  });

  it('takes no shape from a file that it would not try itself', async () => {
    const options = { kernelSet: 'subgroup', chunkTokens: 8 } as const;
    await tokensWith(options);
    const tampered = readFileSync(path, 'utf8').replace(/"lanes": \d+/, '"lanes": 96');
    writeFileSync(path, tampered);
    const { calls } = await tokensWith(options);
    assert.deepEqual(calls, ['found', 'kept', 'kept']);
    assert.ok(!readFileSync(path, 'utf8').includes('"lanes": 96'));
  });

  it('leaves adapters that run on the CPU as they are', async () => {
    const { calls } = await tokensWith({ kernelSet: 'software' });
    assert.deepEqual(calls, []);
  });

  it('takes a file of nonsense for none, and shapes no device has for nothing', async () => {
    const file = new TuningFile(path);
    const usual = { lanes: 64, units: 4, pairs: 1, depth: 1 };
    const other = { lanes: 64, units: 2, pairs: 1, depth: 4 };
    const resident = { groups: 64, lanes: 512, depth: 2, atOnce: 128 };
    const kept = async (key: string) => allowed(await file.read(key), usual, gpu);
    const matrices = gpu.matrixUnit !== null;
    await file.write('a', { matvec: other, resident, matrices });
    assert.deepEqual(await kept('a'), { matvec: other, resident, matrices });
    assert.equal(await kept('b'), undefined);
    for (const text of [
      '',
      '{"a":',
      '[1]',
      '7',
      '{"a":{"lanes":0,"units":1,"pairs":1}}',
      '{"a":{"lanes":"64","units":2,"pairs":1}}',
      '{"a":{"lanes":64,"units":2,"pairs":1,"depth":4}}',
      '{"a":{"matvec":{"lanes":64,"units":2,"pairs":1},"resident":null}}',
      '{"a":{"matvec":{"lanes":64,"units":2,"pairs":1,"depth":4}}}',
      '{"a":{"matvec":{"lanes":64,"units":2,"pairs":1,"depth":4},"resident":{"groups":4096,"lanes":256,"depth":2}}}',
      '{"a":{"matvec":{"lanes":64,"units":2,"pairs":1,"depth":4},"resident":{"groups":64,"lanes":512,"depth":2},"matrices":false}}',
      '{"a":{"matvec":{"lanes":64,"units":2,"pairs":1,"depth":4},"resident":{"groups":64,"lanes":512,"depth":2,"atOnce":4096},"matrices":false}}',
      '{"a":{"matvec":{"lanes":64,"units":2,"pairs":1,"depth":4},"resident":null,"matrices":1}}',
      '{"a":5}',
      '{"a":null}',
    ]) {
      writeFileSync(path, text);
      assert.equal(await kept('a'), undefined, text);
    }
    await file.write('a', { matvec: usual, resident: null, matrices: false });
    assert.deepEqual(await kept('a'), { matvec: usual, resident: null, matrices: false });
  });
});
