import { strict as assert } from 'node:assert';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kept, keptCharacters } from '../../src/host/suggest/kept';
import {
  linuxOnBattery,
  macOnBattery,
  Power,
  windowsOnBattery,
} from '../../src/host/suggest/power';
import type { Place } from '../../src/host/suggest/place';
import { readSettings } from '../../src/host/settings';
import { Suggester, type SuggesterParts } from '../../src/host/suggest/suggester';
import { countLikely } from '../../src/worker/choices';

const placeOf = (document: string): Place => {
  const [before, after] = document.split('¦');
  return { uri: 'a', path: 'a.ts', language: 'typescript', before, after };
};

/** A suggester whose model writes `text`, and `texts` when it is asked for several. */
function setUp(text: string, texts: string[] = [], more: Partial<SuggesterParts> = {}) {
  const asked = { choose: 0, prepare: [] as string[] };
  const suggester = new Suggester({
    complete: (_request, _signal, onText) => {
      onText(text);
      return Promise.resolve({ text, reason: 'line' });
    },
    choose: () => {
      asked.choose++;
      return Promise.resolve(texts);
    },
    prepare: ({ prefix }) => Promise.resolve(asked.prepare.push(prefix)),
    settings: () => readSettings(() => undefined),
    extentAt: () => 'line',
    ...more,
  });
  const ask = async (document: string, isAutomatic = false) => {
    const { signal } = new AbortController();
    const outcome = await suggester.suggest(placeOf(document), { isAutomatic, cancel: signal });
    if (outcome.kind === 'nothing') return [];
    return [outcome.trimmed, ...outcome.others].map(({ insert }) => insert);
  };
  return { suggester, asked, ask };
}

describe('choices', () => {
  it('come when one asks by command, the one of before first', async () => {
    const { asked, ask } = setUp('sum(a)', ['sum(a)', 'total(a)', 'sum(', 'max(a)']);
    assert.deepEqual(await ask('x = ¦', true), ['sum(a)']);
    assert.equal(asked.choose, 0);
    assert.deepEqual(await ask('x = ¦'), ['sum(a)', 'total(a)', 'max(a)']);
    assert.deepEqual(await ask('x = ¦'), ['sum(a)', 'total(a)', 'max(a)']);
    assert.equal(asked.choose, 1);
  });

  it('are not generated while someone types', async () => {
    const { asked, ask } = setUp('sum(a)', ['max(a)']);
    for (const document of ['x = ¦', 'x = s¦', 'x = ¦']) await ask(document, true);
    assert.equal(asked.choose, 0);
  });

  it('go on when one of them is typed or accepted in parts', async () => {
    const { ask } = setUp('sum(a)', ['sum(a)', 'total(a)']);
    await ask('x = ¦');
    await ask('x = ¦');
    assert.deepEqual(await ask('x = tot¦', true), ['al(a)']);
    assert.deepEqual(await ask('x = s¦', true), ['um(a)']);
  });

  it('are trimmed, and those that come to nothing are left out', async () => {
    const { ask } = setUp('a)', ['b)', '\nnext();', '  ']);
    await ask('f(¦)\nnext();');
    const all = await ask('f(¦)\nnext();');
    assert.deepEqual(all, ['a)', 'b)']);
  });

  it('begin with tokens that are likely enough', () => {
    const logits = Float32Array.from([0.5, 0.3, 0.15, 0.04, 0.005, 0.005], Math.log);
    assert.equal(countLikely(logits, 8), 4);
    assert.equal(countLikely(logits, 2), 2);
    assert.equal(
      countLikely(
        Float32Array.from({ length: 500 }, () => 0),
        4,
      ),
      1,
    );
  });
});

describe('reading ahead', () => {
  it('takes the text before the line of the cursor, when nothing else is to be done', async () => {
    const { suggester, asked } = setUp('x');
    await suggester.prepare(placeOf('one\ntwo¦\nthree'));
    assert.deepEqual(asked.prepare, ['one']);
  });

  it('waits for nobody, and stops when a suggestion is wanted', async () => {
    let signal: AbortSignal | undefined;
    const prepare = (_: unknown, given: AbortSignal) => {
      signal = given;
      return sleep(1000, undefined, { signal: given, ref: false }).catch(() => {});
    };
    const { suggester, ask } = setUp('x', [], { prepare });
    void suggester.prepare(placeOf('one\ntwo¦'));
    assert.deepEqual(await ask('one\ntwo¦', true), ['x']);
    assert.equal(signal!.aborted, true);
  });

  it('is left alone on battery, as is what follows an acceptance', async () => {
    const { suggester, asked, ask } = setUp('x', [], { isSaving: () => true });
    await suggester.prepare(placeOf('one\n¦'));
    const begin = performance.now();
    await ask('one\n¦', true);
    assert.ok(performance.now() - begin >= 290);
    assert.deepEqual([asked.prepare, suggester.generations.ahead], [[], 0]);
  });
});

describe('the power supply', () => {
  it('is read from sysfs: a battery that discharges, but not that of a mouse', async () => {
    const root = await mkdtemp(join(tmpdir(), 'lckv-power-'));
    const supply = async (name: string, files: Record<string, string>) => {
      await mkdir(join(root, name));
      for (const [file, text] of Object.entries(files))
        await writeFile(join(root, name, file), `${text}\n`);
    };
    assert.equal(await linuxOnBattery(root), false);
    await supply('AC', { type: 'Mains', online: '0' });
    await supply('mouse', { type: 'Battery', scope: 'Device', status: 'Discharging' });
    await supply('BAT0', { type: 'Battery', status: 'Charging' });
    assert.equal(await linuxOnBattery(root), false);
    await supply('BAT1', { type: 'Battery', scope: 'System', status: 'Discharging' });
    assert.equal(await linuxOnBattery(root), true);
    await rm(root, { recursive: true });
  });

  it('is read from what macOS and Windows print', () => {
    assert.equal(macOnBattery("Now drawing from 'Battery Power'\n -InternalBattery-0"), true);
    assert.equal(macOnBattery("Now drawing from 'AC Power'\n -InternalBattery-0"), false);
    assert.deepEqual(['1\r\n', '2\r\n', '', '6\r\n1\r\n'].map(windowsOnBattery), [
      ...[true, false, false, true],
    ]);
  });

  it('is asked rarely, and never waited for', async () => {
    let asked = 0;
    const power = new Power(() => Promise.resolve(++asked === 1));
    assert.equal(power.isOnBattery, false);
    await sleep(0);
    assert.deepEqual([power.isOnBattery, power.isOnBattery, asked], [true, true, 1]);
    const broken = new Power(() => Promise.reject(new Error('no such file')));
    assert.equal(broken.isOnBattery, false);
    await sleep(0);
    assert.equal(broken.isOnBattery, false);
  });
});

describe('what is kept', () => {
  const measure = async (text: string, ...edits: [number, number, string][]) => {
    const measured: number[] = [];
    const kept = new Kept((...counts) => measured.push(...counts), 10);
    kept.accepted('a', 100, text);
    for (const [rangeOffset, rangeLength, inserted] of edits)
      kept.changed('a', [{ rangeOffset, rangeLength, text: inserted }]);
    await sleep(30);
    return measured;
  };

  it('is all of a text that nobody touched', async () => {
    assert.deepEqual(await measure('return a + b;'), [13, 13]);
    assert.deepEqual(await measure('a();', [0, 0, 'before'], [200, 50, 'after']), [4, 4]);
  });

  it('is what edits inside, over the edges and all over leave', async () => {
    assert.deepEqual(await measure('return a + b;', [107, 1, 'first']), [12, 13]);
    assert.deepEqual(await measure('return a + b;', [50, 57, '']), [6, 13]);
    assert.deepEqual(await measure('return a + b;', [0, 0, 'xx'], [110, 10, '']), [8, 13]);
    assert.deepEqual(await measure('return a + b;', [0, 500, 'else']), [0, 13]);
    assert.deepEqual(await measure('return a;', [113, 0, '']), [9, 9]);
  });

  it('counts words in the same order', () => {
    assert.equal(keptCharacters('a b c', 'a c'), 3);
    assert.equal(keptCharacters('foo(bar)', 'bar(foo)'), 4);
    assert.equal(keptCharacters('', 'x'), 0);
  });
});
