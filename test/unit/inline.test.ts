import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { explain } from '../../src/host/suggest/outcome';
import type { Place } from '../../src/host/suggest/place';
import { readSettings } from '../../src/host/settings';
import { Suggester, type Question, type SuggesterParts } from '../../src/host/suggest/suggester';
import type { CompletionRequest, StopReason } from '../../src/protocol';
import { extentOf } from '../../src/syntax/extent';

const live = () => new AbortController().signal;

function placeOf(document: string, uri = 'file:///a.ts'): Place {
  const [before, after] = document.split('¦');
  return { uri, path: 'a.ts', language: 'typescript', before, after };
}

/** A worker that writes what the test tells it to, when the test tells it to. */
class Script {
  readonly asked: CompletionRequest[] = [];
  private readonly runs: {
    signal: AbortSignal;
    onText(piece: string): void;
    end(completion: { text: string; reason: StopReason } | undefined): void;
    fail(error: Error): void;
    text: string;
  }[] = [];

  complete = (request: CompletionRequest, signal: AbortSignal, onText: (piece: string) => void) =>
    new Promise<{ text: string; reason: StopReason } | undefined>((end, fail) => {
      this.asked.push(request);
      this.runs.push({ signal, onText, end, fail, text: '' });
      signal.addEventListener('abort', () => end(undefined));
    });

  get cancelled(): boolean[] {
    return this.runs.map(({ signal }) => signal.aborted);
  }

  write(piece: string): void {
    const run = this.runs.at(-1)!;
    run.text += piece;
    run.onText(piece);
  }

  async end(reason: StopReason = 'line'): Promise<void> {
    const run = this.runs.at(-1)!;
    run.end({ text: run.text, reason });
    await sleep(0);
  }

  fail(message: string): void {
    this.runs.at(-1)!.fail(new Error(message));
  }
}

/** A suggester over a scripted worker. */
function setUp(values: Record<string, unknown> = {}, parts: Partial<SuggesterParts> = {}) {
  const script = new Script();
  const suggester = new Suggester({
    complete: script.complete,
    settings: () => readSettings((name) => values[name]),
    extentAt: (place) => extentOf(place, undefined),
    ...parts,
  });
  const ask = (document: string, question: Partial<Question> = {}, uri?: string) =>
    suggester.suggest(placeOf(document, uri), { isAutomatic: true, cancel: live(), ...question });
  /** What is suggested when the worker writes this text at once, if it is asked. */
  const suggest = async (document: string, text: string, uri?: string) => {
    const before = suggester.generations.asked;
    const pending = ask(document, {}, uri);
    if (suggester.generations.asked > before) {
      if (text !== '') script.write(text);
      await script.end();
    }
    const outcome = await pending;
    return outcome.kind === 'suggestion' ? outcome.trimmed : outcome.reason.kind;
  };
  return { script, suggester, ask, suggest };
}

describe('Suggester', () => {
  it('asks for the window around the cursor and trims the answer', async () => {
    const { script, suggest } = setUp();
    assert.deepEqual(await suggest('foo(¦);\nnext', 'a, b);\n'), { insert: 'a, b);', replace: 2 });
    const { prefix, suffix, path, language, maxTokens, extent } = script.asked[0];
    assert.deepEqual([prefix, suffix], ['foo(', '\nnext']);
    assert.deepEqual([path, language, maxTokens, extent], ['a.ts', 'typescript', 64, 'line']);
  });

  it('asks for a block on an empty line, and for what the setting says', async () => {
    const { script, suggest } = setUp();
    await suggest('f();\n  ¦', 'x');
    assert.equal(script.asked[0].extent, 'block');
    const set = setUp({ extent: 'line', maxTokens: 7 });
    await set.suggest('f();\n  ¦', 'x');
    assert.deepEqual([set.script.asked[0].extent, set.script.asked[0].maxTokens], ['line', 7]);
  });

  it('tells why there is nothing, and does not ask the model about it again', async () => {
    const { script, suggest } = setUp();
    assert.equal(await suggest('a¦', '  \n'), 'blank');
    assert.equal(await suggest('b¦\nfoo();\nbar();', '\nfoo();\nbar();'), 'trimmed');
    assert.equal(await suggest('a¦', 'x'), 'blank');
    assert.equal(script.asked.length, 2);
  });

  it('tells of a failure and of a worker that is gone', async () => {
    const { script, ask } = setUp();
    const failed = ask('a¦');
    script.fail('No such token.');
    const outcome = await failed;
    assert.match(explain({ outcome, at: 0, elapsedMs: 1 }, 0), /No such token\. The log/);
    const gone = new Suggester({
      complete: () => Promise.resolve(undefined),
      settings: () => readSettings(() => undefined),
      extentAt: () => 'line',
    });
    const answer = await gone.suggest(placeOf('a¦'), { isAutomatic: true, cancel: live() });
    assert.deepEqual(answer, { kind: 'nothing', reason: { kind: 'lost' } });
  });
});

describe('a completion that the model is not sure of', () => {
  it('is not suggested, with a reason, nor asked for again', async () => {
    const { script, ask } = setUp({ confidence: 0.4 });
    const unsure = ask('a¦');
    script.write('bc');
    await script.end('unsure');
    assert.deepEqual(await unsure, { kind: 'nothing', reason: { kind: 'unsure' } });
    assert.equal(script.asked[0].confidence, 0.4);
    assert.deepEqual(await ask('a¦'), { kind: 'nothing', reason: { kind: 'unsure' } });
    assert.equal(script.asked.length, 1);
    assert.match(explain({ outcome: await unsure, at: 0, elapsedMs: 1 }, 0), /lckv\.confidence/);
  });

  it('is suggested to who asks by command, also while it is being written', async () => {
    const { script, ask } = setUp();
    void ask('a¦');
    const byHand = ask('a¦', { isAutomatic: false });
    script.write('bc');
    await script.end('unsure');
    assert.equal(script.asked[1].confidence, 0);
    script.write('bc');
    await script.end();
    const outcome = await byHand;
    assert.ok(outcome.kind === 'suggestion' && outcome.trimmed.insert === 'bc');
    const again = await ask('a¦');
    assert.ok(again.kind === 'suggestion' && again.source === 'memory');
  });
});

describe('memory of suggestions', () => {
  it('answers while a suggestion is typed, after going back, and in any order', async () => {
    const { suggester, suggest } = setUp();
    await suggest('¦', 'hello(1);');
    assert.deepEqual(await suggest('he¦', '?'), { insert: 'llo(1);', replace: 0 });
    assert.deepEqual(await suggest('hello(1)¦', '?'), { insert: ';', replace: 0 });
    assert.deepEqual(await suggest('h¦', '?'), { insert: 'ello(1);', replace: 0 });
    await suggest('x = ¦', '42;');
    assert.deepEqual(await suggest('hel¦', '?'), { insert: 'lo(1);', replace: 0 });
    assert.equal(suggester.generations.asked, 2);
  });

  it('goes on with what is shown when something else would fit too', async () => {
    const { suggest } = setUp();
    await suggest('ab¦', 'out();');
    await suggest('a¦', 'bove();');
    assert.deepEqual(await suggest('ab¦', '?'), { insert: 'ove();', replace: 0 });
    assert.deepEqual(await suggest('abo¦', '?'), { insert: 've();', replace: 0 });
    assert.deepEqual(await suggest('abou¦', '?'), { insert: 't();', replace: 0 });
  });

  it('covers a closer that the editor adds while the suggestion is typed', async () => {
    const { suggester, suggest } = setUp();
    await suggest('¦\nnext', 'hello(1);');
    assert.deepEqual(await suggest('hello(¦)\nnext', '?'), { insert: '1);', replace: 1 });
    assert.deepEqual(await suggest('hello(1)¦\nnext', '?'), { insert: ';', replace: 0 });
    assert.equal(suggester.generations.asked, 1);
  });

  it('goes over a closer that was there', async () => {
    const { suggester, suggest } = setUp();
    assert.deepEqual(await suggest('if (¦)\n', 'a) {'), { insert: 'a) {', replace: 1 });
    assert.deepEqual(await suggest('if (a)¦\n', '?'), { insert: ' {', replace: 0 });
    assert.equal(suggester.generations.asked, 1);
  });

  it('asks the model for anything else', async () => {
    const { suggester, suggest } = setUp();
    const documents = ['¦', 'x¦', 'hello();¦', '¦ + 1', '(¦)'];
    for (const document of documents) await suggest(document, 'hello();');
    await suggest('¦', 'hello();', 'file:///b.ts');
    assert.equal(suggester.generations.asked, 6);
  });

  it('serves what it knows, and only that, where the model is not to be asked', async () => {
    const { script, ask, suggest } = setUp();
    await suggest('¦', 'hello();');
    const onlyMemory = { kind: 'deleted' } as const;
    const known = await ask('he¦', { onlyMemory });
    assert.ok(known.kind === 'suggestion' && known.source === 'memory' && !known.isNew);
    const unknown = await ask('x¦', { onlyMemory });
    assert.deepEqual(unknown, { kind: 'nothing', reason: onlyMemory });
    assert.equal(script.asked.filter(({ prefix }) => prefix === 'x').length, 0);
  });

  it('forgets when it is told to', async () => {
    const { script, suggester, suggest } = setUp();
    await suggest('¦', 'hello();');
    suggester.forget();
    assert.deepEqual(await suggest('he¦', 'y'), { insert: 'y', replace: 0 });
    assert.equal(script.asked.filter(({ prefix }) => prefix === 'he').length, 1);
  });

  it('still answers who waits while it forgets', async () => {
    const { script, suggester, ask } = setUp();
    const pending = ask('¦');
    suggester.forget();
    script.write('hello();');
    await script.end();
    assert.equal((await pending).kind, 'suggestion');
  });
});

describe('a running generation', () => {
  it('is taken over by who types what it writes', async () => {
    const { script, suggester, ask } = setUp();
    const [first, second] = [ask('¦'), ask('he¦')];
    script.write('hel');
    const third = ask('hello¦');
    script.write('lo(1);');
    await script.end();
    assert.deepEqual(await Promise.all([first, second]), [
      { kind: 'nothing', reason: { kind: 'superseded' } },
      { kind: 'nothing', reason: { kind: 'superseded' } },
    ]);
    const trimmed = { insert: '(1);', replace: 0 };
    assert.deepEqual(await third, {
      ...{ kind: 'suggestion', trimmed, others: [], source: 'running', isNew: true },
    });
    assert.equal(suggester.generations.asked, 1);
  });

  it('ends at once when something else is typed than it wrote', async () => {
    const { script, ask } = setUp();
    void ask('¦');
    script.write('hel');
    const other = ask('x¦');
    assert.deepEqual(script.cancelled, [true, false]);
    script.write('yz');
    await script.end();
    assert.deepEqual((await other).kind, 'suggestion');
  });

  it('ends when it turns to something else than was typed, and a new one starts', async () => {
    const { script, ask } = setUp();
    void ask('¦');
    const typed = ask('hex¦');
    script.write('he');
    assert.deepEqual(script.cancelled, [false]);
    script.write('llo');
    await sleep(0);
    assert.deepEqual(script.cancelled, [true, false]);
    assert.equal(script.asked[1].prefix, 'hex');
    script.write('agon');
    await script.end();
    const outcome = await typed;
    assert.ok(outcome.kind === 'suggestion' && outcome.trimmed.insert === 'agon');
  });

  it('ends as soon as the typing is noticed, before a suggestion is asked for', () => {
    const { script, suggester, ask } = setUp();
    void ask('a¦');
    script.write('bc');
    for (const document of ['ab¦', 'a¦', '¦', 'abcd¦']) suggester.typed(placeOf(document));
    assert.deepEqual(script.cancelled, [false]);
    suggester.typed(placeOf('ax¦'));
    assert.deepEqual(script.cancelled, [true]);
  });

  it('outlives its question for a moment only', async () => {
    const { script, ask } = setUp();
    const controller = new AbortController();
    const left = ask('¦', { cancel: controller.signal });
    controller.abort();
    assert.equal((await left).kind, 'nothing');
    await sleep(100);
    assert.deepEqual(script.cancelled, [false]);
    await sleep(600);
    assert.deepEqual(script.cancelled, [true]);
  });

  it('is remembered when it ends although nobody waits for it', async () => {
    const { script, ask } = setUp();
    const controller = new AbortController();
    void ask('¦', { cancel: controller.signal });
    controller.abort();
    script.write('hello();');
    await script.end();
    const outcome = await ask('h¦');
    assert.ok(outcome.kind === 'suggestion' && outcome.source === 'memory');
  });
});

describe('what follows an acceptance', () => {
  it('is generated ahead, and waits for nobody to type through', async () => {
    const { script, suggester, ask, suggest } = setUp();
    await suggest('a = ¦;\n', 'b(1);');
    assert.deepEqual(suggester.generations, { asked: 1, ahead: 1, prepared: 0 });
    assert.equal(script.asked[1].prefix, 'a = b(1);');
    await suggest('a = b¦;\n', '?');
    assert.deepEqual(script.cancelled, [false, false]);
    const next = ask('a = b(1);¦\n');
    script.write('\nreturn a;');
    await script.end();
    const outcome = await next;
    assert.ok(outcome.kind === 'suggestion' && outcome.source === 'running');
    assert.deepEqual(suggester.generations.asked, 1);
  });

  it('gives way to any real question', async () => {
    const { script, ask, suggest } = setUp();
    await suggest('¦', 'hello();');
    void ask('x¦');
    assert.deepEqual(script.cancelled, [false, true, false]);
  });
});

describe('the pause before the model is asked', () => {
  it('is as long as the setting says, and ends in nothing when cancelled', async () => {
    const { script, ask } = setUp({ delayMs: 40 });
    const controller = new AbortController();
    const cancelled = ask('a¦', { cancel: controller.signal });
    controller.abort();
    assert.deepEqual(await cancelled, { kind: 'nothing', reason: { kind: 'superseded' } });
    assert.equal(script.asked.length, 0);
    void ask('b¦');
    await sleep(20);
    assert.equal(script.asked.length, 0);
    await sleep(60);
    assert.equal(script.asked.length, 1);
  });

  it('is none for a question by command', () => {
    const { script, ask } = setUp({ delayMs: 10_000 });
    void ask('a¦', { isAutomatic: false });
    assert.equal(script.asked.length, 1);
  });
});
