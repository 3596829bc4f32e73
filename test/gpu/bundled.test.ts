/**
 * The bundled model against its PyTorch twin (training/golden.py): held-out snippets in the real
 * prompt format, the logits after the prompt and the greedy continuation.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine';
import { Gpu } from '../../src/engine/gpu';
import { seededRandom } from '../../src/engine/sample';
import { openCheckpoint, type Checkpoint } from '../../src/model/checkpoint';
import { buildPrompt } from '../../src/model/prompt';
import { Safetensors } from '../../src/model/safetensors';
import { Tokenizer } from '../../src/model/tokenizer';
import { relativeError } from '../compare';
import { greedy } from './greedy';

const FIXTURES = 'test/fixtures/bundled';
const MODEL = 'models/lckv-code-55m';
const TOLERANCE = 1e-2;
/** LCKV_LONG=1 takes every snippet and 200 edits: a quarter of an hour where the GPU is a CPU. */
const LONG = process.env.LCKV_LONG === '1';
const EDITS = LONG ? 200 : 15;
const MOST_TOKENS = LONG ? Infinity : 120;

interface Snippet {
  id: string;
  language: string;
  prompt: number[];
  greedy: number[];
}

describe('bundled model', function () {
  this.timeout(1_800_000);
  const text = readFileSync(join(FIXTURES, 'golden.json'), 'utf8');
  const snippets = JSON.parse(text) as Snippet[];
  let gpu: Gpu;
  let checkpoint: Checkpoint;
  let expected: Float32Array;
  before(async () => {
    gpu = await Gpu.open();
    checkpoint = await openCheckpoint(MODEL);
    const file = await Safetensors.open(join(FIXTURES, 'golden.safetensors'));
    const bytes = await file.read('logits');
    expected = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    await file.close();
  });
  after(async () => {
    await checkpoint.close();
    gpu.dispose();
  });

  it('has 50 snippets', () => assert.equal(snippets.length, 50));

  // As the device prefers, and iterated in blocks: on software devices these differ.
  for (const [title, chunkTokens, how, most] of [
    ['by default', undefined, {}, MOST_TOKENS],
    ['iterated', 24, { passes: 24, tolerance: 1e-5 }, 90],
  ] as const) {
    const count = snippets.filter(({ prompt }) => prompt.length <= most).length;
    it(`${count} snippets, ${title}: same logits and greedy tokens as PyTorch`, async () => {
      const engine = await Engine.load(gpu, checkpoint, { chunkTokens, contextTokens: 512 });
      try {
        for (const [i, { id, prompt, greedy: expectedTokens }] of snippets.entries()) {
          if (prompt.length > most) continue;
          engine.crop(0);
          await engine.prefill(prompt, how);
          const logits = await engine.readLogits();
          const vocab = checkpoint.config.vocabSize;
          const error = relativeError(logits, expected.subarray(i * vocab, (i + 1) * vocab));
          assert.ok(error < TOLERANCE, `${id}: relative error of the logits ${error}`);
          const { tokens } = await greedy(engine, prompt, expectedTokens.length);
          assert.deepEqual(tokens, expectedTokens, id);
        }
      } finally {
        engine.dispose();
      }
    });
  }
});

describe('editing a document with the bundled model', function () {
  this.timeout(1_800_000);

  it(`${EDITS} edits of text: reused and fresh cache agree on greedy tokens`, async () => {
    const gpu = await Gpu.open();
    const checkpoint = await openCheckpoint(MODEL);
    const tokenizer = await Tokenizer.open(MODEL);
    const reused = await Engine.load(gpu, checkpoint, { contextTokens: 256 });
    const fresh = await Engine.load(gpu, checkpoint, { contextTokens: 256, chunkTokens: 32 });
    try {
      let shared = 0;
      let all = 0;
      for (const [step, { prefix, suffix }] of textEdits(EDITS).entries()) {
        const place = { path: 'src/list.ts', language: 'typescript', prefix, suffix };
        const { ids: prompt } = buildPrompt(tokenizer, { ...place, snippets: [] }, 240);
        fresh.crop(0);
        const expected = await greedy(fresh, prompt, 3);
        const { tokens, stats } = await greedy(reused, prompt, 3);
        assert.deepEqual(tokens, expected.tokens, `edit ${step}: ${JSON.stringify(prefix)}`);
        shared += stats.reusedTokens;
        all += stats.promptTokens;
      }
      assert.ok(shared / all > 0.3, `only ${shared} of ${all} prompt tokens were reused`);
    } finally {
      reused.dispose();
      fresh.dispose();
      await checkpoint.close();
      gpu.dispose();
    }
  });
});

/** Cursors in a document after each of a seeded run of edits: typing, deleting, jumps, undo. */
function textEdits(count: number): { prefix: string; suffix: string }[] {
  const random = seededRandom(17);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(choices: readonly T[]) => choices[below(choices.length)];
  const start = 'export function sum(list: number[]): number {\n  let total = 0;\n';
  const states = [{ prefix: start, suffix: '\n  return total;\n}\n' }];
  for (let step = 0; step < count; step++) {
    const { prefix, suffix } = states.at(-1)!;
    const text = prefix + suffix;
    const at = below(text.length + 1);
    const typed = pick([
      'for (',
      'const x = ',
      'i',
      '.',
      'list',
      ' ',
      '\n  ',
      '// add é',
      '"',
      '😀',
    ]);
    const edits = [
      () => ({ prefix: prefix + typed, suffix }),
      () => ({ prefix: prefix + typed, suffix }),
      () => ({ prefix: prefix.slice(0, -1 - below(4)) || ' ', suffix }),
      () => ({ prefix: prefix + typed, suffix: suffix.slice(below(3)) }),
      () => ({ prefix: text.slice(0, at), suffix: text.slice(at) }),
      () => states[Math.max(0, states.length - 1 - below(5))],
    ];
    states.push(pick(edits)());
  }
  return states.slice(1);
}
