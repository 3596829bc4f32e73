import { strict as assert } from 'node:assert';
import { readSettings } from '../../src/host/settings';
import { Suggester, type Place } from '../../src/host/suggester';
import type { CompletionRequest } from '../../src/protocol';

const live = () => new AbortController().signal;

function placeOf(document: string, uri = 'file:///a.ts'): Place {
  const [before, after] = document.split('¦');
  return { uri, path: 'a.ts', language: 'typescript', before, after };
}

/** A suggester over a scripted worker that notes what it was asked. */
function setUp(answer: string | undefined, values: Record<string, unknown> = {}) {
  const asked: CompletionRequest[] = [];
  const complete = (request: CompletionRequest) => {
    asked.push(request);
    return Promise.resolve(answer);
  };
  const suggester = new Suggester(complete, () => readSettings((name) => values[name]));
  const suggest = (document: string, uri?: string) =>
    suggester.suggest(placeOf(document, uri), 0, live());
  return { asked, suggest };
}

describe('Suggester', () => {
  it('asks for the window around the cursor and trims the answer', async () => {
    const { asked, suggest } = setUp('a, b);\n');
    assert.deepEqual(await suggest('foo(¦);\nnext'), { insert: 'a, b);', replace: 2 });
    assert.equal(asked.length, 1);
    const { prefix, suffix, path, language, maxTokens, extent } = asked[0];
    assert.deepEqual([prefix, suffix], ['foo(', '\nnext']);
    assert.deepEqual([path, language, maxTokens, extent], ['a.ts', 'typescript', 64, 'line']);
  });

  it('asks for a block on an empty line, and for what the setting says', async () => {
    const { asked, suggest } = setUp('x');
    await suggest('f();\n  ¦');
    assert.equal(asked[0].extent, 'block');
    const set = setUp('x', { extent: 'line', maxTokens: 7 });
    await set.suggest('f();\n  ¦');
    assert.equal(set.asked[0].extent, 'line');
    assert.equal(set.asked[0].maxTokens, 7);
  });

  it('suggests nothing when there is no answer or nothing is left of it', async () => {
    assert.equal(await setUp(undefined).suggest('a¦'), undefined);
    assert.equal(await setUp('  \n').suggest('a¦'), undefined);
  });

  it('answers from the last suggestion while it is typed, and after going back', async () => {
    const { asked, suggest } = setUp('hello(1);');
    await suggest('¦');
    assert.deepEqual(await suggest('he¦'), { insert: 'llo(1);', replace: 0 });
    assert.deepEqual(await suggest('hello(1)¦'), { insert: ';', replace: 0 });
    assert.deepEqual(await suggest('h¦'), { insert: 'ello(1);', replace: 0 });
    assert.equal(asked.length, 1);
  });

  it('covers a closer that the editor adds while the suggestion is typed', async () => {
    const { asked, suggest } = setUp('hello(1);');
    await suggest('¦\nnext');
    assert.deepEqual(await suggest('hello(¦)\nnext'), { insert: '1);', replace: 1 });
    assert.deepEqual(await suggest('hello(1)¦\nnext'), { insert: ';', replace: 0 });
    assert.equal(asked.length, 1);
  });

  it('goes over a closer that was there', async () => {
    const { asked, suggest } = setUp('a) {');
    assert.deepEqual(await suggest('if (¦)\n'), { insert: 'a) {', replace: 1 });
    assert.deepEqual(await suggest('if (a)¦\n'), { insert: ' {', replace: 0 });
    assert.equal(asked.length, 1);
  });

  it('asks again for anything else', async () => {
    const { asked, suggest } = setUp('hello();');
    const documents = ['¦', 'x¦', '¦', 'hello();¦', '¦ + 1', '(¦)'];
    for (const document of documents) await suggest(document);
    await suggest('¦', 'file:///b.ts');
    assert.equal(asked.length, documents.length + 1);
  });

  it('cancels the older of two calls', async () => {
    const signals: AbortSignal[] = [];
    const answers: ((text: string) => void)[] = [];
    const suggester = new Suggester(
      (_request, signal) => {
        signals.push(signal);
        return new Promise((resolve) => answers.push(resolve));
      },
      () => readSettings(() => undefined),
    );
    const first = suggester.suggest(placeOf('a¦'), 0, live());
    await Promise.resolve();
    const second = suggester.suggest(placeOf('ab¦'), 0, live());
    await Promise.resolve();
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [true, false],
    );
    answers[0]('bc');
    answers[1]('c');
    assert.equal(await first, undefined);
    assert.deepEqual(await second, { insert: 'c', replace: 0 });
  });

  it('waits, and asks nothing when it is cancelled meanwhile', async () => {
    let asked = 0;
    const suggester = new Suggester(
      () => Promise.resolve(String(++asked)),
      () => readSettings(() => undefined),
    );
    const controller = new AbortController();
    const cancelled = suggester.suggest(placeOf('a¦'), 10_000, controller.signal);
    controller.abort();
    assert.equal(await cancelled, undefined);
    assert.equal(asked, 0);
    const started = performance.now();
    assert.ok(await suggester.suggest(placeOf('a¦'), 30, live()));
    assert.ok(performance.now() - started >= 28);
  });
});
