/**
 * `edit`: replays an editing session over source files of this repository through the worker's
 * Session, in real time: every event asks for a suggestion and cancels the one before. Times are
 * from the event to the first text, and to the whole line that is shown.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { languageOf } from '../src/cli/languages';
import { seededRandom } from '../src/engine/sample';
import { GREEDY, type PrecisionChoice } from '../src/protocol';
import { trimCompletion } from '../src/text/trim';
import { completionWindow } from '../src/text/window';
import { Session } from '../src/worker/session';
import { quantile, report, round, type Row } from './report';
import { Desk, events, type Event } from './script';

const FILES = ['src/engine/snapshots.ts', 'src/host/main.ts', 'training/model.py'];
const MAX_TOKENS = 24;

/** What came of one request. */
interface Asked {
  kind: Event['kind'];
  firstMs: number | null;
  lineMs: number | null;
  promptTokens: number;
  reusedTokens: number;
  generatedTokens: number;
  text: string;
}

/** Runs the benchmark. */
export async function edit(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      model: { type: 'string', default: 'models/lckv-code-55m' },
      events: { type: 'string', default: '60' },
      precision: { type: 'string', default: 'auto' },
      context: { type: 'string' },
    },
  });
  const folder = mkdtempSync(join(tmpdir(), 'lckv-edit-'));
  const session = await Session.open(values.model, {
    tuningFile: join(folder, 'tuning.json'),
    precision: values.precision as PrecisionChoice,
    contextTokens: values.context === undefined ? null : Number(values.context),
  });
  const all: Asked[] = [];
  for (const path of FILES) {
    const text = await readFile(path, 'utf8');
    all.push(...(await replay(session, path, text, Number(values.events))));
  }
  const kinds = (['type', 'delete', 'jump', 'accept'] as const).map((kind) => ({
    kind,
    asked: all.filter((one) => one.kind === kind),
  }));
  const rows = [{ kind: 'all', asked: all }, ...kinds].map(({ kind, asked }) => ({
    precision: values.precision,
    events: kind,
    ...summary(asked),
  }));
  report('edit', session.device.description || session.device.vendor, rows);
  await session.dispose();
  rmSync(folder, { recursive: true });
}

async function replay(
  session: Session,
  path: string,
  text: string,
  count: number,
): Promise<Asked[]> {
  const random = seededRandom(text.length);
  const desk = new Desk(text, Math.floor(text.length / 2));
  const asked: Promise<Asked>[] = [];
  // The cold prompt is not what a keystroke costs.
  await ask(session, path, desk, 'type', new AbortController().signal);
  let current = new AbortController();
  for (const { kind, wait } of events(count, random)) {
    if (kind === 'type') desk.type();
    else if (kind === 'delete') desk.delete();
    else if (kind === 'jump') desk.jump(Math.floor(random() * text.length));
    else desk.accept((await asked.at(-1))?.text ?? '');
    current.abort();
    current = new AbortController();
    asked.push(ask(session, path, desk, kind, current.signal));
    await sleep(wait);
  }
  return Promise.all(asked);
}

async function ask(
  session: Session,
  path: string,
  desk: Desk,
  kind: Event['kind'],
  signal: AbortSignal,
): Promise<Asked> {
  const begin = performance.now();
  const language = languageOf(path);
  const window = completionWindow(desk.before, desk.after);
  const limits = { snippets: [], maxTokens: MAX_TOKENS, extent: 'line', sampling: GREEDY } as const;
  const pieces = session.complete({ path, language, ...window, ...limits }, signal);
  let completion = '';
  let firstMs: number | null = null;
  for (;;) {
    const { value, done } = await pieces.next();
    if (!done) {
      firstMs ??= performance.now() - begin;
      completion += value;
      continue;
    }
    const { promptTokens, reusedTokens, generatedTokens } = value.timings;
    const isShown = value.reason !== 'cancelled';
    const { insert } = trimCompletion({ language, ...window, completion });
    const lineMs = isShown ? performance.now() - begin : null;
    const text = isShown ? insert : '';
    return { kind, firstMs, lineMs, promptTokens, reusedTokens, generatedTokens, text };
  }
}

function summary(asked: readonly Asked[]): Row {
  const times = (name: 'firstMs' | 'lineMs', share: number) => {
    const known = asked.map((one) => one[name]).filter((time) => time !== null);
    return known.length > 0 ? round(quantile(known, share)) : null;
  };
  const sum = (of: (one: Asked) => number) => asked.reduce((total, one) => total + of(one), 0);
  return {
    asked: asked.length,
    shown: sum((one) => Number(one.lineMs !== null)),
    firstMsP50: times('firstMs', 0.5),
    firstMsP95: times('firstMs', 0.95),
    lineMsP50: times('lineMs', 0.5),
    lineMsP95: times('lineMs', 0.95),
    reusedShare: round(sum((one) => one.reusedTokens) / (sum((one) => one.promptTokens) || 1)),
    decodedTokens: sum((one) => one.generatedTokens),
    inVainTokens: sum((one) => (one.lineMs === null ? one.generatedTokens : 0)),
  };
}
