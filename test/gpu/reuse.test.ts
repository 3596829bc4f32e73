/**
 * Editing a document: a cache that is cropped and extended after every edit must give the same
 * greedy tokens as one that starts afresh (docs/ARCHITECTURE.md, invariants).
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine';
import { Gpu } from '../../src/engine/gpu';
import { seededRandom } from '../../src/engine/sample';
import { openCheckpoint } from '../../src/model/checkpoint';
import { greedy } from './greedy';

const EDITS = 200;
const GREEDY_TOKENS = 4;
const MOST_TOKENS = 120;
/** So many passes over chunks of as many tokens are exact, and iterated on every device. */
const FRESH_PASSES = 64;

describe('reuse', function () {
  this.timeout(300_000);
  let gpu: Gpu;
  before(async () => {
    gpu = await Gpu.open();
  });
  after(() => gpu.dispose());

  for (const name of ['sandwich-middle', 'lckv-w2', 'lckv-w4-nodiag', 'windows']) {
    it(`${EDITS} edits of ${name}: reused and fresh cache agree`, async () => {
      const checkpoint = await openCheckpoint(join('test/fixtures/goldens', name));
      const reused = await Engine.load(gpu, checkpoint, { chunkTokens: 16 });
      const fresh = await Engine.load(gpu, checkpoint, { chunkTokens: FRESH_PASSES });
      try {
        let reusedTokens = 0;
        let promptTokens = 0;
        for (const [step, prompt] of edits(checkpoint.config.vocabSize).entries()) {
          const { tokens, stats } = await greedy(reused, prompt, GREEDY_TOKENS);
          fresh.crop(0);
          const expected = await greedy(fresh, prompt, GREEDY_TOKENS, FRESH_PASSES);
          assert.deepEqual(tokens, expected.tokens, `edit ${step}, ${prompt.length} tokens`);
          reusedTokens += stats.reusedTokens;
          promptTokens += stats.promptTokens;
        }
        // Most edits are at the end, so most of the work must have been saved.
        const share = reusedTokens / promptTokens;
        assert.ok(share > 0.5, `only ${share} of the prompt tokens were reused`);
      } finally {
        reused.dispose();
        fresh.dispose();
        await checkpoint.close();
      }
    });
  }

  it('iteration ends when the keys and values have settled', async () => {
    const checkpoint = await openCheckpoint('models/lckv-code-55m');
    const engine = await Engine.load(gpu, checkpoint, { chunkTokens: 44, contextTokens: 64 });
    try {
      const random = seededRandom(9);
      const prompt = Array.from({ length: 44 }, () => 7 + Math.floor(random() * 5000));
      const { passes } = await engine.prefill(prompt, { passes: 44, tolerance: 1e-5 });
      assert.ok(passes > 3 && passes < 40, `${passes} passes for ${prompt.length} tokens`);
    } finally {
      engine.dispose();
      await checkpoint.close();
    }
  });

  it('an abort leaves the cache true to its tokens', async () => {
    const checkpoint = await openCheckpoint('test/fixtures/goldens/sandwich-middle');
    const engine = await Engine.load(gpu, checkpoint, { chunkTokens: 8 });
    const fresh = await Engine.load(gpu, checkpoint, { chunkTokens: 64 });
    try {
      const random = seededRandom(5);
      const prompt = Array.from({ length: 60 }, () => Math.floor(random() * 97));
      const controller = new AbortController();
      const reason = new Error('typed on');
      setTimeout(() => controller.abort(reason), 30);
      const { signal } = controller;
      await assert.rejects(async () => {
        for (;;) {
          engine.crop(0);
          await engine.prefill(prompt, { signal });
        }
      }, reason);
      assert.ok(engine.tokens.length < prompt.length);
      assert.deepEqual(engine.tokens, prompt.slice(0, engine.tokens.length));
      assert.deepEqual(
        (await greedy(engine, prompt, GREEDY_TOKENS)).tokens,
        (await greedy(fresh, prompt, GREEDY_TOKENS)).tokens,
      );
    } finally {
      engine.dispose();
      fresh.dispose();
      await checkpoint.close();
    }
  });
});

/** Documents after each of a seeded run of edits: typing, inserting, deleting, jumping, undo. */
function edits(vocab: number): number[][] {
  const random = seededRandom(11);
  const below = (n: number) => Math.floor(random() * n);
  const tokens = (n: number) => Array.from({ length: n }, () => below(vocab));
  const history: number[][] = [tokens(20)];
  for (let step = 0; step < EDITS; step++) {
    const document = history.at(-1)!;
    const at = below(document.length);
    const choices = [
      () => [...document, ...tokens(1)],
      () => [...document, ...tokens(1)],
      () => [...document, ...tokens(1 + below(5))],
      () => document.slice(0, Math.max(1, document.length - 1 - below(4))),
      () => [...document.slice(0, at), ...tokens(1 + below(6)), ...document.slice(at)],
      () => [...document.slice(0, at), ...document.slice(at + 1 + below(6)), ...tokens(1)],
      () => document.slice(0, at + 1),
      () => history[Math.max(0, history.length - 1 - below(5))],
    ];
    history.push(choices[below(choices.length)]().slice(0, MOST_TOKENS));
  }
  return history.slice(1);
}
