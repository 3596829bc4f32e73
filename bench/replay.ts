/**
 * `replay`: types what the bundled model suggests in source files, key by key, through the real
 * suggester and worker; then accepts, and types something else.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { languageOf } from '../src/cli/languages';
import { Editor, loadOf } from '../test/faults/editor';
import { placesIn, Replay, type Step } from '../test/replay';
import { quantile, report, round, type Row } from './report';

const FILES = ['src/engine/snapshots.ts', 'src/host/main.ts', 'training/model.py'];

/** Runs the benchmark. */
export async function replay(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      model: { type: 'string', default: 'models/lckv-code-55m' },
      visits: { type: 'string', default: '3' },
      tokens: { type: 'string', default: '16' },
      context: { type: 'string' },
    },
  });
  const editor = new Editor();
  const context = values.context === undefined ? null : Number(values.context);
  editor.relay.start(loadOf(values.model, context));
  await editor.ready();
  const typing = new Replay(editor.relay, { maxTokens: Number(values.tokens) });
  for (const path of FILES) {
    const text = await readFile(path, 'utf8');
    for (const place of placesIn(path, languageOf(path), text, Number(values.visits)))
      await typing.visit(place);
  }
  const { state } = editor.relay;
  const device = state.kind === 'ready' ? state.device.description : '';
  const kinds = ['asked', 'agreed', 'accepted', 'differed'] as const;
  const rows = kinds.map((after) =>
    rowOf(
      after,
      typing.steps.filter((step) => step.after === after),
    ),
  );
  report('replay', device, rows);
  const { asked, cancelled } = typing.completions;
  console.log(`${asked} completions asked for, ${cancelled} of them cancelled`);
  editor.close();
}

function rowOf(after: string, steps: readonly Step[]): Row {
  const of = (source: Step['source']) => steps.filter((step) => step.source === source).length;
  const times = steps.filter(({ source }) => source === 'memory').map(({ ms }) => ms);
  const fresh = steps.filter(({ freshTokens }) => freshTokens > 0).map((step) => step.freshTokens);
  const share = (numbers: number[], part: number) =>
    numbers.length > 0 ? round(quantile(numbers, part)) : null;
  return {
    after,
    questions: steps.length,
    memory: of('memory'),
    running: of('running'),
    model: of('model'),
    none: of('none'),
    memoryMsP50: share(times, 0.5),
    memoryMsP95: share(times, 0.95),
    freshTokensP50: share(fresh, 0.5),
    freshTokensMost: share(fresh, 1),
  };
}
