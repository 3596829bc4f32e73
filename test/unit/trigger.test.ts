import { strict as assert } from 'node:assert';
import { editKind, typedLength } from '../../src/host/suggest/edits';
import { isLanguageOn, memoryOnly, refusal, type Situation } from '../../src/host/suggest/gate';
import { menuItems } from '../../src/host/status/menu';
import { explain, nothing } from '../../src/host/suggest/outcome';
import { Pace } from '../../src/host/suggest/pace';
import { Pause } from '../../src/host/status/pause';
import { readSettings } from '../../src/host/settings';

const SITUATION: Situation = {
  isAutomatic: true,
  language: 'python',
  scheme: 'file',
  isReadOnly: false,
  isDiff: false,
  characters: 1000,
  lastEdit: 'written',
  isPaused: false,
  isOnBattery: false,
  isGenerating: false,
  isReady: true,
};

const settings = (values: Record<string, unknown> = {}) => readSettings((name) => values[name]);
const refused = (given: Partial<Situation>, values?: Record<string, unknown>) =>
  refusal({ ...SITUATION, ...given }, settings(values))?.kind;

describe('edits', () => {
  const of = (...texts: string[]) => texts.map((text) => ({ rangeLength: 1, text }));

  it('are writing, deleting or undoing', () => {
    assert.equal(editKind(of('a'), false), 'written');
    assert.equal(editKind(of('', 'a'), false), 'written');
    assert.equal(editKind(of('', ''), false), 'deleted');
    assert.equal(editKind(of('a'), true), 'undone');
  });

  it('leave the cursor between brackets and quotes that the editor closed', () => {
    assert.deepEqual(
      ['(', '()', '""', 'ab', ')(', ''].map((text) => typedLength({ rangeLength: 0, text })),
      [1, 1, 1, 2, 2, 0],
    );
  });
});

describe('refusal', () => {
  it('is none in code', () => {
    for (const scheme of ['file', 'untitled', 'vscode-notebook-cell', 'vscode-remote'])
      assert.equal(refused({ scheme }), undefined, scheme);
  });

  const automatic: [string, Partial<Situation>, Record<string, unknown>?][] = [
    ['paused', { isPaused: true }],
    ['manual', {}, { trigger: 'manual' }],
    ['language', { language: 'markdown' }],
    ['language', {}, { languages: { python: false } }],
    ['diff', { isDiff: true }],
    ['large', { characters: 1_000_001 }],
  ];
  for (const [kind, given, values] of automatic)
    it(`is "${kind}" for typing and none for a command: ${JSON.stringify(values ?? given)}`, () => {
      assert.equal(refused(given, values), kind);
      assert.equal(refused({ ...given, isAutomatic: false }, values), undefined);
    });

  const always: [string, Partial<Situation>, Record<string, unknown>?][] = [
    ['off', {}, { enabled: false }],
    ['unwritable', { scheme: 'output' }],
    ['unwritable', { isReadOnly: true }],
    ['loading', { isReady: false }],
  ];
  for (const [kind, given, values] of always)
    it(`is "${kind}" however asked: ${JSON.stringify(values ?? given)}`, () => {
      assert.equal(refused(given, values), kind);
      assert.equal(refused({ ...given, isAutomatic: false }, values), kind);
    });

  it('of the model alone comes after a deletion or undo, unless asked by command', () => {
    const only = (given: Partial<Situation>) => memoryOnly({ ...SITUATION, ...given })?.kind;
    assert.equal(only({}), undefined);
    assert.equal(only({ lastEdit: 'deleted' }), 'deleted');
    assert.equal(only({ lastEdit: 'undone' }), 'undone');
    assert.equal(only({ lastEdit: 'deleted', isAutomatic: false }), undefined);
  });
});

describe('isLanguageOn', () => {
  it('asks the language, then the star', () => {
    assert.equal(isLanguageOn({ '*': false, python: true }, 'python'), true);
    assert.equal(isLanguageOn({ '*': false, python: true }, 'rust'), false);
    assert.equal(isLanguageOn({ '*': true, python: false }, 'rust'), true);
    assert.equal(isLanguageOn({}, 'constructor'), true);
  });
});

describe('Pace', () => {
  const paceOf = (...times: number[]) => {
    const pace = new Pace();
    times.forEach((ms) => pace.add(ms));
    return pace;
  };

  it('waits for nothing while the model is fast or nothing is known', () => {
    assert.equal(paceOf().delayMs, 0);
    assert.equal(paceOf().isFast, false);
    assert.equal(paceOf(2000, 40, 60).delayMs, 0);
    assert.equal(paceOf(2000, 40, 60).isFast, true);
  });

  it('waits longer where the model is slower, up to a limit', () => {
    const delays = [160, 400, 900, 5000].map((ms) => paceOf(ms, ms, ms).delayMs);
    assert.deepEqual(delays, [5, 125, 375, 500]);
    assert.equal(paceOf(400).isFast, false);
  });

  it('forgets how it was long ago', () => {
    const times = [...Array<number>(30).fill(5000), ...Array<number>(15).fill(20)];
    assert.equal(paceOf(...times).delayMs, 0);
  });
});

describe('Pause', () => {
  it('ends by itself and says so', async () => {
    let changes = 0;
    const ended = new Promise<void>((resolve) => {
      const pause: Pause = new Pause(() => {
        changes++;
        if (pause.leftMs === 0) resolve();
      });
      pause.start(30);
      assert.ok(pause.leftMs > 0);
    });
    const keepAlive = setTimeout(() => {}, 3000);
    await ended;
    clearTimeout(keepAlive);
    assert.equal(changes, 2);
  });

  it('ends when it is told to', () => {
    const pause = new Pause(() => {});
    pause.start();
    assert.ok(pause.leftMs > 9 * 60_000);
    pause.stop();
    assert.equal(pause.leftMs, 0);
  });
});

describe('explain', () => {
  it('says what to do about every reason, when and how long it took', () => {
    const kinds = ['off', 'paused', 'manual', 'unwritable', 'diff', 'large', 'deleted', 'undone'];
    const more = ['loading', 'superseded', 'lost', 'blank', 'trimmed'];
    const texts = ([...kinds, ...more] as 'off'[]).map((kind) =>
      explain({ outcome: nothing({ kind }), at: 1000, elapsedMs: 12.4 }, 4000),
    );
    assert.equal(new Set(texts).size, texts.length);
    for (const text of texts) assert.match(text, /^No suggestion 3 s ago, in 12 ms: [a-z].*\.$/);
  });

  it('names the language, and the origin of a suggestion', () => {
    const language = nothing({ kind: 'language', language: 'markdown' });
    assert.match(explain({ outcome: language, at: 0, elapsedMs: 0 }, 0), /off for markdown/);
    const trimmed = { insert: 'x', replace: 0 };
    const outcome = {
      kind: 'suggestion',
      trimmed,
      others: [],
      source: 'memory',
      isNew: true,
    } as const;
    assert.match(explain({ outcome, at: 0, elapsedMs: 0 }, 0), /came 0 s ago.*from memory\.$/);
    assert.match(explain(undefined, 0), /Nothing was asked/);
    assert.match(explain(undefined, 0, 2345), /in the making for 2\.3 s\. Before: Nothing/);
  });
});

describe('menuItems', () => {
  const commands = (kind: 'off' | 'paused' | 'starting') => {
    const status = { kind, leftMs: 1, fraction: 0, what: 'gpu' } as const;
    const items = menuItems({ status, language: { id: 'go', isOn: true }, explanation: 'Why.' });
    return items.map(({ command }) => command);
  };

  it('offers what makes sense in a state', () => {
    assert.equal(commands('off')[0], 'lckv.enable');
    assert.ok(!commands('off').includes('lckv.disable'));
    assert.ok(commands('paused').includes('lckv.resume'));
    assert.ok(!commands('paused').includes('lckv.pause'));
    assert.ok(commands('starting').includes('lckv.pause'));
  });

  it('speaks of the language at the cursor, if there is one', () => {
    const label = (language?: { id: string; isOn: boolean }) =>
      menuItems({ status: { kind: 'paused', leftMs: 1 }, language, explanation: '' }).find(
        ({ command }) => command === 'lckv.toggleLanguage',
      )?.label;
    assert.match(label({ id: 'go', isOn: true })!, /off for go/);
    assert.match(label({ id: 'go', isOn: false })!, /on for go/);
    assert.equal(label(), undefined);
  });
});
