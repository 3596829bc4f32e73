/**
 * `kernels`: every kind of dispatch that a token, a chunk of tokens and a step of alternatives
 * (`--branches 8`) make in the engine, timed alone by timestamps at its real shape, beside what a
 * plain copy and plain multiply-adds reach on the same device. The bytes are those of all buffers bound, which is what a dispatch of one token
 * reads; for several tokens, products are counted as multiply-adds.
 */
import { parseArgs } from 'node:util';
import { Engine } from '../src/engine/engine';
import { ceilings } from './ceiling';
import { timed } from './decode';
import { deviceName, openGpu, report, round, type Row } from './report';
import { madeUp, matvecShape, modelOptions } from './shapes';
import { timeDispatch, Trace, type Dispatch } from './trace';

const CONTEXT = 1024;
const BYTES_PER_WEIGHT: Record<string, number> = { f16: 2, int8: 1, int4: 0.5 };

/** Runs the benchmark. */
export async function kernels(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ...modelOptions,
      chunk: { type: 'string', default: '64' },
      branches: { type: 'string', default: '0' },
      few: { type: 'string' },
      repeats: { type: 'string' },
    },
  });
  const gpu = await openGpu({ timestamps: true });
  const { software } = gpu.info;
  const { copyGbPerSecond, tflops } = await ceilings(gpu.device, software);
  console.log(`copy ${round(copyGbPerSecond)} GB/s, f32 multiply-adds ${round(tflops)} TFLOP/s`);
  const trace = new Trace(gpu.device);
  const chunk = Number(values.chunk);
  const branches = Number(values.branches);
  const repeats = Number(values.repeats ?? (software ? 3 : 50));
  const all: Row[] = [];
  for (const { names, source, precision } of madeUp(values)) {
    const engine = await Engine.load(gpu, source, {
      precision,
      chunkTokens: chunk,
      contextTokens: CONTEXT + 6 * repeats + 4 * chunk + 4 * branches,
      matvec: values.few === undefined ? undefined : { few: matvecShape(values.few) },
    });
    const fill = Array.from({ length: CONTEXT - chunk }, (_, i) => i % 1000);
    await engine.prefill(fill, { passes: 1 });
    const work: [number, () => Promise<unknown>][] = [
      [chunk, () => engine.prefill(fill.slice(0, chunk), { passes: 1 })],
      [1, () => engine.prefill([1])],
    ];
    if (branches > 0) work.push([branches, () => timed(engine.branch(branches, 2))]);

    for (const [tokens, run] of work) {
      const dispatches = await trace.of(run);
      const rows: Row[] = [];
      for (const group of grouped(dispatches)) {
        const us = (await timeDispatch(gpu.device, group.dispatch, repeats)) / 1000;
        const { label, workgroups, boundBytes, firstBytes } = group.dispatch;
        const weights = firstBytes / (BYTES_PER_WEIGHT[precision] ?? 1);
        const isProduct = /mat|project|output|gate|down|head/.test(label);
        rows.push({
          ...{ ...names, tokens, kernel: label },
          ...{ times: group.times, workgroups: workgroups.join('×'), us: round(us) },
          totalUs: round(us * group.times),
          gbPerSecond: round(boundBytes / us / 1000),
          ofCopy: round(boundBytes / us / 1000 / copyGbPerSecond),
          tflops: isProduct ? round((2 * weights * tokens) / us / 1e6) : null,
        });
      }
      const total = rows.reduce((sum, row) => sum + Number(row.totalUs), 0);
      console.log(
        `${names.layout}, ${precision}, ${tokens} tokens: ${dispatches.length} dispatches, ` +
          `${round(total)} µs a pass`,
      );
      all.push(...rows);
    }
    engine.dispose();
  }
  report('kernels', deviceName(gpu), all);
}

/** Dispatches of the same kind and size, each with how often it came. */
function grouped(dispatches: Dispatch[]): { dispatch: Dispatch; times: number }[] {
  const groups = new Map<string, { dispatch: Dispatch; times: number }>();
  for (const dispatch of dispatches) {
    const { label, workgroups, boundBytes } = dispatch;
    const key = [label, workgroups, boundBytes].join();
    const group = groups.get(key);
    if (group) group.times++;
    else groups.set(key, { dispatch, times: 1 });
  }
  return [...groups.values()];
}
