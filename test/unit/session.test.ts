import assert from 'node:assert/strict';
import { cp, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '../../src/engine/sample';
import { GREEDY, type CompletionRequest, type Timings } from '../../src/protocol';
import { LineExtent } from '../../src/text/extent';
import { Session } from '../../src/worker/session';
import type { Completed } from '../../src/worker/turn';
import { tinyConfig, tinyModel } from '../checkpoints';

const request = (fields: Partial<CompletionRequest> = {}): CompletionRequest => ({
  path: 'src/a.ts',
  language: 'typescript',
  prefix: 'const a = 1;\nfunction b() {\n  return ',
  suffix: ';\n}\n',
  snippets: [],
  maxTokens: 24,
  extent: 'block',
  sampling: GREEDY,
  ...fields,
});

/** Reads a completion to its end. */
async function collect(
  pieces: AsyncGenerator<string, Completed>,
): Promise<Completed & { text: string; pieces: string[] }> {
  const all: string[] = [];
  for (;;) {
    const { value, done } = await pieces.next();
    if (done) return { ...value, text: all.join(''), pieces: all };
    all.push(value);
  }
}

describe('session', () => {
  const removals: (() => Promise<void>)[] = [];
  const model = async (config: object = tinyConfig) => {
    const { dir, remove } = await tinyModel(config);
    removals.push(remove);
    return dir;
  };
  after(() => Promise.all(removals.map((remove) => remove())));

  let session: Session;
  const progress: [number, string][] = [];
  before(async () => {
    session = await Session.open(await model(), {
      onProgress: (fraction, what) => progress.push([fraction, what]),
    });
  });
  after(() => session.dispose());

  it('says what it loaded and where', () => {
    const { weightBytes, parameters, ...info } = session.info();
    assert.deepEqual(info, {
      name: 'tiny',
      layers: 4,
      kvLayers: 3,
      kvSources: [0, 2, 2, 3],
      contextTokens: 320,
      kvBytesPerToken: 3 * 2 * 2 * 8 * 4,
      standardKvBytesPerToken: 4 * 2 * 2 * 8 * 4,
      reduced: null,
      fillInTheMiddle: true,
      snippets: false,
    });
    assert.ok(weightBytes >= parameters && parameters > 295 * 32);
    assert.ok(session.device.description.length > 0);
    const fractions = progress.filter(([, what]) => what === 'weights');
    assert.deepEqual(fractions.at(-1), [1, 'weights']);
    assert.ok(fractions.every(([now], i) => i === 0 || now >= fractions[i - 1][0]));
  });

  it('gives the same text again, from the cache', async () => {
    const first = await collect(session.complete(request()));
    assert.equal(first.reason, 'length');
    assert.ok(first.text.length > 0);
    assert.equal(first.timings.generatedTokens, 24);
    const again = await collect(session.complete(request()));
    assert.equal(again.text, first.text);
    assert.equal(again.timings.reusedTokens, again.timings.promptTokens - 1);
  });

  it('prefills only what was typed', async () => {
    await collect(session.complete(request()));
    const typed = request({ prefix: `${request().prefix}x` });
    const { timings } = await collect(session.complete(typed));
    assert.ok(timings.promptTokens - timings.reusedTokens <= 3, JSON.stringify(timings));
  });

  it('gives the same text whatever the cache held', async () => {
    const other = await collect(session.complete(request({ prefix: 'something else\n' })));
    const here = await collect(session.complete(request()));
    const fresh = await Session.open(await model());
    assert.equal((await collect(fresh.complete(request()))).text, here.text);
    await fresh.dispose();
    assert.notEqual(other.text, here.text);
  });

  it("loads models of the first paper's format as what they are", async () => {
    const old = {
      ...{ ...tinyConfig, layer_types: undefined, forward_passes: undefined },
      ...{ model_type: 'opt-llama', num_encoders: 8, num_warmup_layers: 1 },
    };
    const same = { ...tinyConfig, layer_types: '0_3_3_3', force_nodiag: true, forward_passes: 7 };
    const texts = await Promise.all(
      [old, same].map(async (config) => {
        const opened = await Session.open(await model(config));
        const { text } = await collect(opened.complete(request()));
        const { kvLayers } = opened.info();
        await opened.dispose();
        return [kvLayers, text] as const;
      }),
    );
    assert.equal(texts[0][0], 2);
    assert.ok(texts[0][1].length > 0);
    assert.deepEqual(texts[0], texts[1]);
  });

  it('reads from left to right with a base model, and says so', async () => {
    const dir = await model();
    const path = join(dir, 'tokenizer.json');
    const json = JSON.parse(await readFile(path, 'utf8')) as { added_tokens: object[] };
    json.added_tokens.length = 1;
    await writeFile(path, JSON.stringify(json));
    const base = await Session.open(dir);
    assert.equal(base.info().fillInTheMiddle, false);
    const first = await collect(base.complete(request({ suffix: ';\n}\n' })));
    const other = await collect(base.complete(request({ suffix: 'else', path: 'b.py' })));
    assert.ok(first.text.length > 0);
    assert.equal(other.text, first.text);
    assert.equal(other.timings.reusedTokens, other.timings.promptTokens - 1);
    await base.dispose();
  });

  it('measures itself', async () => {
    const { timings } = await collect(session.complete(request({ prefix: 'measured ' })));
    const { prefillMs, firstTextMs, totalMs, passes } = timings;
    assert.ok(prefillMs > 0 && prefillMs <= firstTextMs! && firstTextMs! <= totalMs);
    assert.ok(passes >= 1);
    const expected: (keyof Timings)[] = [
      ...(['firstTextMs', 'generatedTokens', 'passes', 'prefillMs'] as const),
      ...(['promptTokens', 'reusedTokens', 'snippetTokens', 'totalMs'] as const),
    ];
    assert.deepEqual(Object.keys(timings).sort(), expected);
  });

  it('stops as soon as the first line is less probable than was asked for', async () => {
    const all = await collect(session.complete(request()));
    const sure = await collect(session.complete(request({ confidence: 1e-200 })));
    assert.deepEqual([sure.text, sure.reason], [all.text, 'length']);
    const unsure = await collect(session.complete(request({ confidence: 1e-9 })));
    assert.equal(unsure.reason, 'unsure');
    assert.ok(all.text.startsWith(unsure.text));
    assert.ok(unsure.timings.generatedTokens < all.timings.generatedTokens);
  });

  it('samples the same text from the same seed', async () => {
    const sampled = async (seed: number) => {
      const sampling = { temperature: 1, topK: 0, topP: 1, seed };
      return (await collect(session.complete(request({ sampling })))).text;
    };
    assert.equal(await sampled(7), await sampled(7));
    assert.notEqual(await sampled(7), await sampled(8));
  });

  it('lets a newer request supersede the older', async () => {
    const expected = (await collect(session.complete(request()))).text;
    const older = session.complete(request({ prefix: 'older', maxTokens: 200 }));
    assert.equal((await older.next()).done, false);
    const newer = collect(session.complete(request()));
    const newest = collect(session.complete(request()));
    const ended = await collect(older);
    assert.equal(ended.reason, 'cancelled');
    assert.ok(ended.timings.generatedTokens < 200);
    assert.equal((await newer).reason, 'cancelled');
    assert.deepEqual((({ reason, text }) => ({ reason, text }))(await newest), {
      reason: 'length',
      text: expected,
    });
  });

  it('ends as cancelled when its signal aborts', async () => {
    const expected = (await collect(session.complete(request()))).text;
    const controller = new AbortController();
    const pieces = session.complete(
      request({ prefix: 'let '.repeat(60), maxTokens: 200 }),
      controller.signal,
    );
    setTimeout(() => controller.abort(), 20);
    assert.equal((await collect(pieces)).reason, 'cancelled');
    const before = session.complete(request(), AbortSignal.abort());
    const { reason, timings } = await collect(before);
    assert.deepEqual([reason, timings.promptTokens, timings.firstTextMs], ['cancelled', 0, null]);
    assert.equal((await collect(session.complete(request()))).text, expected);
  });

  it('reads a prompt ahead, so that a completion finds it in the cache', async () => {
    const prefix = 'let ahead = 1;\n'.repeat(4);
    const before = await session.prepare(request({ prefix }));
    assert.deepEqual([before.reason, before.timings.generatedTokens], ['end', 0]);
    const { timings } = await collect(session.complete(request({ prefix: `${prefix}x` })));
    assert.ok(timings.promptTokens - timings.reusedTokens <= 3, JSON.stringify(timings));
    // What is held already is not cut back.
    await session.prepare(request({ prefix }));
    const again = await collect(session.complete(request({ prefix: `${prefix}x` })));
    assert.equal(again.timings.promptTokens - again.timings.reusedTokens, 1);
  });

  it('reads ahead only while nothing runs, and lets everything else go first', async () => {
    const running = session.complete(request({ prefix: 'running', maxTokens: 200 }));
    await running.next();
    assert.equal((await session.prepare(request())).reason, 'cancelled');
    assert.equal((await collect(running)).reason, 'length');
    const reading = session.prepare(request({ prefix: 'let long = 1;\n'.repeat(10) }));
    const next = await collect(session.complete(request()));
    assert.equal((await reading).reason, 'cancelled');
    assert.equal(next.reason, 'length');
  });

  it('chooses: distinct completions, the greedy one first', async () => {
    const greedy = (await collect(session.complete(request()))).text;
    const { reason, texts } = await session.choose(request(), 4);
    assert.equal(reason, 'end');
    assert.ok(texts.length > 1 && texts.length <= 4, JSON.stringify(texts));
    assert.equal(new Set(texts).size, texts.length);
    assert.ok(greedy.startsWith(texts[0]) && texts[0].length > 0, JSON.stringify([greedy, texts]));
    assert.equal((await collect(session.complete(request()))).text, greedy);
  });

  it('ends at the end token', async () => {
    const everyToken = Array.from({ length: 295 }, (_, id) => id);
    const ending = await Session.open(await model({ ...tinyConfig, eos_token_id: everyToken }));
    const { reason, text, timings } = await collect(ending.complete(request()));
    assert.deepEqual([reason, text, timings.generatedTokens], ['end', '', 0]);
    await ending.dispose();
  });

  it('keeps to its context', async () => {
    const small = await Session.open(await model(), { contextTokens: 64 });
    const long = request({ prefix: 'let x = 1;\n'.repeat(100), suffix: '\n}'.repeat(100) });
    const { reason, timings } = await collect(small.complete({ ...long, maxTokens: 1000 }));
    assert.equal(reason, 'length');
    assert.ok(timings.promptTokens <= 32 && timings.generatedTokens === 32);
    await small.dispose();
  });

  it('cancels what runs when it is disposed', async () => {
    const closing = await Session.open(await model());
    const pieces = closing.complete(request({ maxTokens: 200 }));
    await pieces.next();
    const ended = collect(pieces);
    await closing.dispose();
    assert.equal((await ended).reason, 'cancelled');
  });

  describe('refuses', () => {
    it('a folder without a tokenizer', async () => {
      const dir = await model();
      await unlink(join(dir, 'tokenizer.json'));
      await assert.rejects(Session.open(dir), /tokenizer\.json: cannot be read/);
    });

    it('a tokenizer of another model', async () => {
      const dir = await model();
      await rm(dir, { recursive: true });
      await cp('test/fixtures/goldens/lckv-w2', dir, { recursive: true });
      await cp('test/fixtures/tiny-tokenizer/tokenizer.json', join(dir, 'tokenizer.json'));
      await assert.rejects(Session.open(dir), /tokenizer\.json: found 295 tokens, .* at most 97/);
    });

    it('an adapter that does not exist', async () => {
      const dir = await model();
      await assert.rejects(Session.open(dir, { adapter: 'no such thing' }), /adapter/);
    });

    it('to go on when its signal aborts', async () => {
      const dir = await model();
      await assert.rejects(Session.open(dir, { signal: AbortSignal.abort() }), /abort/i);
    });
  });
});

describe('line extent', () => {
  const first = (pieces: string[]) => {
    const line = new LineExtent();
    let text = '';
    for (const piece of pieces) {
      text += line.take(piece);
      if (line.ended) break;
    }
    return text;
  };

  it('ends at the first line break after some text', () => {
    assert.equal(first(['a', 'b\nc', 'd']), 'ab');
    assert.equal(first([' \n', '  ', 'x', '\r\n', 'y']), ' \n  x');
    assert.equal(first(['\n  x\ny']), '\n  x');
    assert.equal(first(['a']), 'a');
    assert.equal(first(['', ' ']), ' ');
  });

  it('does not depend on how the text is cut', () => {
    const random = seededRandom(5);
    for (let i = 0; i < 500; i++) {
      const length = Math.floor(random() * 12);
      const text = Array.from({ length }, () => ' \nab'[Math.floor(random() * 4)]).join('');
      const pieces = text.split(/(?!^)/).reduce<string[]>((all, character) => {
        if (all.length === 0 || random() < 0.5) return [...all, character];
        return [...all.slice(0, -1), all.at(-1)! + character];
      }, []);
      assert.equal(first(pieces), /^\s*\S[^\n]*|^\s*/.exec(text)![0]);
    }
  });
});
