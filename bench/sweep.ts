/**
 * `sweep`: decode by how one row's product is shared out (MatvecShape), the fastest first. Every
 * shape is right (test/gpu/shapes.test.ts); which one is fast is the device's affair.
 */
import { parseArgs } from 'node:util';
import { Engine } from '../src/engine/engine';
import { timed } from './decode';
import { deviceName, median, numbers, openGpu, report, round, type Row } from './report';
import { madeUp, modelOptions } from './shapes';

const CONTEXT = 128;

/** Runs the benchmark. */
export async function sweep(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ...modelOptions,
      lanes: { type: 'string', default: '64,128,256' },
      units: { type: 'string', default: '2,4,8' },
      pairs: { type: 'string', default: '1,2,4' },
      steps: { type: 'string', default: '128' },
    },
  });
  const gpu = await openGpu();
  const steps = Number(values.steps);
  const rows: Row[] = [];
  const matvecs = shapes(values.lanes, values.units, values.pairs);
  const runs = [...madeUp(values)].flatMap((made) =>
    matvecs.map((matvec) => ({ ...made, matvec })),
  );
  for (const { names, source, precision, matvec } of runs) {
    const engine = await Engine.load(gpu, source, {
      precision,
      contextTokens: CONTEXT + 4 * steps,
      decodeTokens: 8,
      matvec,
    });
    await engine.prefill(
      Array.from({ length: CONTEXT }, (_, i) => i),
      { passes: 1 },
    );
    const times: number[] = [];
    for (let run = 0; run < 4; run++) {
      engine.crop(CONTEXT);
      const ms = await timed(engine.decode(steps + 1));
      if (run > 0) times.push(ms / steps);
    }
    const step = median(times);
    rows.push({
      ...names,
      ...matvec,
      decodeMs: round(step),
      decodeTokensPerSecond: round(1000 / step),
    });
    engine.dispose();
  }
  rows.sort((a, b) => Number(a.decodeMs) - Number(b.decodeMs));
  report('sweep', deviceName(gpu), rows);
}

function shapes(lanes: string, units: string, pairs: string) {
  return numbers(lanes).flatMap((lane) =>
    numbers(units).flatMap((unit) =>
      numbers(pairs).map((pair) => ({ lanes: lane, units: unit, pairs: pair })),
    ),
  );
}
