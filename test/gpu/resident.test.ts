/**
 * A token of one sequence, or of a few, in one dispatch, by workgroups that wait for one another: the same tokens
 * and logits as with a dispatch for each step, and where not all of them run at once, that is noticed and made good.
 */
import assert from 'node:assert/strict';
import { Engine, type EngineOptions } from '../../src/engine/engine';
import { Gpu } from '../../src/engine/gpu';
import { loadParts } from '../../src/engine/load';
import { Resident } from '../../src/engine/resident';
import { constantsOf, sharingOf, type ResidentShape } from '../../src/engine/residentPlan';
import { fastestResident } from '../../src/engine/tuning';
import type { Dtype } from '../../src/model/source';
import { relativeError } from '../compare';
import { randomSource } from '../random-source';
import { greedy } from './greedy';
import { INT8, TINY } from './tiny';

// Lavapipe runs as many workgroups at once as it has threads.
process.env.LP_NUM_THREADS ??= '2';
/** A busy machine may let one of its threads wait for long. */
const PATIENT = 1 << 22;
const SHAPE: ResidentShape & { mostReads: number } = {
  groups: 2,
  lanes: 64,
  depth: 2,
  teams: 1,
  mostReads: PATIENT,
};
/** Three splits of positions on real GPUs, of which every one but the first is empty at first. */
const WIDER = { ...SHAPE, groups: 16, lanes: 128 };
const PROMPT = Array.from({ length: 70 }, (_, i) => (i * 7) % 61);
const STEPS = 40;
/** Values between workgroups have 24 bits. */
const TOLERANCE = 2e-4;

const MODELS: { title: string; fields: Record<string, unknown>; dtype: Dtype }[] = [
  { title: 'int8, one cyclic group', fields: { ...TINY, ...INT8 }, dtype: 'I8' },
  {
    title: 'BF16, windows, strict everywhere, tied, odd vocabulary',
    fields: {
      ...TINY,
      layer_types: '1s_1_2_2s',
      sliding_window: 24,
      force_nodiag: true,
      tie_word_embeddings: true,
    },
    dtype: 'BF16',
  },
];

describe('resident kernel', function () {
  this.timeout(300_000);
  let gpu: Gpu;
  before(async () => {
    gpu = await Gpu.open();
  });
  after(() => gpu.dispose());

  const residentOf = (engine: Engine) =>
    (engine as unknown as { model: { resident: Resident | null } }).model.resident;
  /** Whether so many sequences decode in one dispatch. */
  const isResident = async (engine: Engine, rows: number) =>
    rows === 1 ? residentOf(engine) !== null : Boolean(await residentOf(engine)?.forRows(rows));

  const load = ({ fields, dtype }: (typeof MODELS)[number], options: EngineOptions) =>
    Engine.load(gpu, randomSource(fields, dtype, 11, 0.15), {
      contextTokens: 128,
      kernelSet: 'subgroup',
      chunkTokens: 8,
      decodeTokens: 4,
      ...options,
    });

  async function run(
    model: (typeof MODELS)[number],
    options: EngineOptions,
  ): Promise<{
    tokens: number[];
    logits: Float32Array;
    before: boolean;
    after: boolean;
    dispatches: number;
  }> {
    const engine = await load(model, options);
    try {
      const before = await isResident(engine, 1);
      await greedy(engine, PROMPT, STEPS);
      // Once more: what the first time left behind must not pass for the second one's.
      const { tokens } = await greedy(engine, PROMPT, STEPS);
      const logits = await engine.readLogits();
      const dispatches = residentOf(engine)?.one.kernels.length ?? 0;
      return { tokens, logits, before, after: await isResident(engine, 1), dispatches };
    } finally {
      engine.dispose();
    }
  }

  for (const model of MODELS) {
    it(`${model.title}: decodes as the usual kernels do`, async () => {
      const usual = await run(model, {});
      assert.equal(usual.before, false);
      const shapes = gpu.info.software ? [SHAPE] : [SHAPE, WIDER];
      for (const resident of shapes) {
        const found = await run(model, { resident });
        assert.deepEqual(found.tokens, usual.tokens);
        const error = relativeError(found.logits, usual.logits);
        assert.ok(error < TOLERANCE, `logits differ by ${error}`);
        assert.ok(found.before && found.after, 'the resident kernel was not used to the end');
      }
    });
  }

  /** What `count` branches of a prompt go on with, then as many sequences of their own: ids by step. */
  async function together(
    model: (typeof MODELS)[number],
    counts: readonly number[],
    options: EngineOptions,
  ): Promise<{ steps: number[][]; isResident: boolean }> {
    const contextTokens = 12 * Math.max(...counts) + PROMPT.length;
    const engine = await load(model, { contextTokens, ...options });
    const steps: number[][] = [];
    try {
      for (const count of counts) {
        engine.crop(0);
        await engine.prefill(PROMPT);
        for await (const ids of engine.branch(count, 10)) steps.push(ids);
        const prompts = Array.from({ length: count }, (_, i) => PROMPT.slice(i, i + 5));
        for await (const ids of engine.decodeTogether(prompts, 7)) steps.push(ids);
      }
      return { steps, isResident: await isResident(engine, Math.max(...counts)) };
    } finally {
      engine.dispose();
    }
  }

  it('several sequences: decodes as the usual kernels do', async () => {
    const [, model] = MODELS;
    // Fewer than before leave places behind that are not written any more. Kernels for eight take long to compile on a CPU.
    const counts = gpu.info.software ? [4, 3, 4] : [8, 3, 7, 2];
    const usual = await together(model, counts, {});
    // Whole subgroups serve each, of 32 lanes on most GPUs.
    const resident = gpu.info.software ? SHAPE : { ...SHAPE, lanes: 256 };
    const found = await together(model, counts, { resident });
    assert.deepEqual(found.steps, usual.steps);
    assert.ok(found.isResident, 'the resident kernel was not used to the end');
  });

  it('several sequences: teams of workgroups serve some of them each, side by side', async () => {
    const [, model] = MODELS;
    const counts = [4, 3, 2, 4];
    const usual = await together(model, counts, {});
    const lanes = gpu.info.software ? SHAPE.lanes : 256;
    const found = await together(model, counts, { resident: { ...SHAPE, lanes, teams: 2 } });
    assert.deepEqual(found.steps, usual.steps);
    assert.ok(found.isResident, 'the resident kernel was not used to the end');
  });

  it('several sequences: takes columns in chunks where workgroup memory is short', async () => {
    const wide = { hidden_size: 1792, intermediate_size: 1792, head_dim: 16 };
    const fields = { ...TINY, ...wide, layer_types: '0', num_hidden_layers: 1 };
    const model = { title: 'wide', fields, dtype: 'BF16' as const };
    const usual = await together(model, [2], {});
    const resident = { ...SHAPE, lanes: 256, depth: 1 };
    const { config } = randomSource(fields, model.dtype, 11, 0.15);
    const { COLUMNS } = constantsOf(config, resident, sharingOf(resident, 2), gpu.device)!;
    if (gpu.info.software) assert.ok(COLUMNS < wide.hidden_size, 'there is nothing to see here');
    const found = await together(model, [2], { resident });
    assert.deepEqual(found.steps, usual.steps);
    assert.ok(found.isResident, 'the resident kernel was not used to the end');
  });

  it('several sequences: goes on with the usual kernels when it gets stuck', async () => {
    const [, model] = MODELS;
    const usual = await together(model, [3], {});
    const found = await together(model, [3], { resident: { ...SHAPE, mostReads: 1 } });
    assert.deepEqual(found.steps, usual.steps);
    assert.equal(found.isResident, false);
  });

  it('takes a dispatch for the layers of each buffer of weights', async () => {
    const [model] = MODELS;
    const usual = await run(model, {});
    const found = await run(model, { resident: SHAPE, maxWeightBytes: 80_000 });
    assert.equal(found.dispatches, 2);
    assert.deepEqual(found.tokens, usual.tokens);
    assert.ok(found.before && found.after, 'the resident kernel was not used to the end');
  });

  it('goes on with the usual kernels when not all workgroups run at once', async function () {
    const [model] = MODELS;
    const usual = await run(model, {});
    const resident = { ...SHAPE, mostReads: 1 };
    const found = await run(model, { resident });
    assert.deepEqual(found.tokens, usual.tokens);
    assert.equal(found.before, true);
    assert.equal(found.after, false, 'with a single look nobody can have waited for the others');
  });

  it('is chosen only where it is faster', async () => {
    const [{ fields, dtype }] = MODELS;
    const source = randomSource(fields, dtype, 11, 0.15);
    const parts = await loadParts(gpu, source, { contextTokens: 128, kernelSet: 'subgroup' });
    const { compiler, config, cache, weights, model } = parts;
    const build = (shape: ResidentShape) =>
      Resident.build(compiler, config, cache, weights, model, shape, PATIENT);
    const shape: ResidentShape = { groups: SHAPE.groups, lanes: SHAPE.lanes, depth: SHAPE.depth };
    const found = await fastestResident(gpu, cache, config, model, build, [shape]);
    assert.deepEqual(found, model.resident ? { ...shape, atOnce: shape.groups } : null);
    for (const part of [parts.snapshots, model, cache, weights]) part.dispose();
  });

  it('is not there for weights in several pieces', async () => {
    const found = await run(MODELS[0], { resident: SHAPE, maxWeightBytes: 10_000 });
    assert.equal(found.before, false);
    assert.equal(found.tokens.length, STEPS);
  });
});
