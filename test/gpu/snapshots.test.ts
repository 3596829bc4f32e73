/**
 * Many warm documents: coming back to one costs no prefill and changes no token, and the memory
 * for it stays within its budget.
 */
import assert from 'node:assert/strict';
import { Engine, type EngineOptions } from '../../src/engine/engine';
import { Gpu } from '../../src/engine/gpu';
import { seededRandom } from '../../src/engine/sample';
import { openCheckpoint, type Checkpoint } from '../../src/model/checkpoint';
import { greedy } from './greedy';

const DOCUMENTS = 20;
const LENGTH = 60;

describe('warm documents', function () {
  this.timeout(120_000);
  let gpu: Gpu;
  let checkpoint: Checkpoint;
  before(async () => {
    gpu = await Gpu.open();
    checkpoint = await openCheckpoint('test/fixtures/goldens/sandwich-middle');
  });
  after(async () => {
    await checkpoint.close();
    gpu.dispose();
  });
  const load = (options: EngineOptions = {}) =>
    Engine.load(gpu, checkpoint, { chunkTokens: 64, contextTokens: 100, ...options });

  const random = seededRandom(23);
  const randomTokens = (count: number) =>
    Array.from({ length: count }, () => Math.floor(random() * 97));
  const documents = Array.from({ length: DOCUMENTS }, () => randomTokens(LENGTH));

  it(`the last ${DOCUMENTS} documents come back without prefill, and true`, async () => {
    const engine = await load();
    const fresh = await load({ snapshotBytes: 0 });
    try {
      for (const document of documents) await greedy(engine, document, 4);
      for (const document of documents) {
        const { stats, tokens } = await greedy(engine, [...document, 5], 4);
        assert.equal(stats.reusedTokens, LENGTH);
        fresh.crop(0);
        assert.deepEqual(tokens, (await greedy(fresh, [...document, 5], 4)).tokens);
      }
    } finally {
      engine.dispose();
      fresh.dispose();
    }
  });

  it('keeps one version of a document that changes', async () => {
    const engine = await load();
    try {
      const [a, b] = documents;
      for (let length = 40; length <= LENGTH; length += 4) {
        await greedy(engine, a.slice(0, length), 4);
        await greedy(engine, b, 4);
      }
      const rows = engine.snapshotBytes / bytesPerToken(checkpoint);
      assert.ok(rows <= 3 * (LENGTH + 4), `${rows} rows for two documents`);
    } finally {
      engine.dispose();
    }
  });

  it('keeps once what documents begin with alike, and each comes back true', async () => {
    const [beginning, tail] = [64, 40];
    const begin = randomTokens(beginning);
    const alike = Array.from({ length: 6 }, () => [...begin, ...randomTokens(tail)]);
    // Room for the beginning and three ends: the other ends, and no beginning, are forgotten.
    const rows = beginning + 3 * (tail + 3);
    for (const { snapshotBytes, kept, back } of [
      { snapshotBytes: undefined, kept: alike.length, back: alike.length },
      { snapshotBytes: rows * bytesPerToken(checkpoint), kept: 3, back: 1 },
    ]) {
      const engine = await load({ contextTokens: 160, snapshotBytes });
      const fresh = await load({ contextTokens: 160, snapshotBytes: 0 });
      try {
        for (const document of alike) await greedy(engine, document, 4);
        await greedy(engine, documents[0], 4);
        await gpu.device.queue.onSubmittedWorkDone();
        assert.equal(engine.snapshotCount, kept);
        const heldRows = engine.snapshotBytes / bytesPerToken(checkpoint);
        assert.equal(heldRows, beginning + kept * (tail + 3));
        for (const document of alike.slice(-back)) {
          const { stats, tokens } = await greedy(engine, [...document, 5], 4);
          assert.equal(stats.reusedTokens, document.length);
          fresh.crop(0);
          assert.deepEqual(tokens, (await greedy(fresh, [...document, 5], 4)).tokens);
        }
      } finally {
        engine.dispose();
        fresh.dispose();
      }
      assert.equal(engine.snapshotBytes, 0);
    }
  });

  it('forgets the documents not used for longest when memory is short', async () => {
    const snapshotBytes = 3.5 * (LENGTH + 4) * bytesPerToken(checkpoint);
    const engine = await load({ snapshotBytes });
    try {
      for (const document of documents.slice(0, 8)) {
        await greedy(engine, document, 4);
        assert.ok(engine.snapshotBytes <= snapshotBytes);
      }
      const reused: number[] = [];
      for (const document of documents.slice(0, 8).reverse()) {
        reused.push((await greedy(engine, document, 4)).stats.reusedTokens);
      }
      // The one in the cache and two more: the third makes room while the second comes back.
      assert.deepEqual(
        reused.map((count) => count === LENGTH - 1),
        [true, true, true, false, false, false, false, false],
      );
    } finally {
      engine.dispose();
    }
  });
});

function bytesPerToken({ config }: Checkpoint): number {
  const layers = config.layers.filter(({ computesKv }) => computesKv).length;
  return layers * 2 * config.kvHeads * config.headDim * 4;
}
