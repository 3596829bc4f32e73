/**
 * `kernels`: every kind of dispatch that a token, and a chunk of tokens, makes in the engine, timed
 * alone by timestamps at its real shape, beside what a plain copy and plain multiply-adds reach on
 * the same device. The bytes are those of all buffers bound, which is what a dispatch of one token
 * reads; for several tokens, products are counted as multiply-adds.
 */
import { parseArgs } from 'node:util';
import { Engine } from '../src/engine/engine';
import { ceilings } from './ceiling';
import { deviceName, openGpu, report, round, type Row } from './report';
import { madeUp, modelOptions } from './shapes';
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
      repeats: { type: 'string' },
    },
  });
  const gpu = await openGpu({ timestamps: true });
  const { software } = gpu.info;
  const { copyGbPerSecond, tflops } = await ceilings(gpu.device, software);
  console.log(`copy ${round(copyGbPerSecond)} GB/s, f32 multiply-adds ${round(tflops)} TFLOP/s`);
  const trace = new Trace(gpu.device);
  const chunk = Number(values.chunk);
  const repeats = Number(values.repeats ?? (software ? 3 : 50));
  const all: Row[] = [];
  for (const { names, source, precision } of madeUp(values)) {
    const engine = await Engine.load(gpu, source, {
      precision,
      chunkTokens: chunk,
      contextTokens: CONTEXT + 4 * repeats + 4 * chunk,
    });
    const fill = Array.from({ length: CONTEXT - chunk }, (_, i) => i % 1000);
    await engine.prefill(fill, { passes: 1 });
    const many = await trace.of(() => engine.prefill(fill.slice(0, chunk), { passes: 1 }));
    const one = await trace.of(() => engine.prefill([1]));

    const rows: Row[] = [];
    for (const [tokens, dispatches] of [[1, one] as const, [chunk, many] as const]) {
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
    }
    const total = (tokens: number) =>
      rows
        .filter((row) => row.tokens === tokens)
        .reduce((sum, row) => sum + Number(row.totalUs), 0);
    console.log(
      `${names.layout}, ${precision}: one token: ${one.length} dispatches, ${round(total(1))} µs; ` +
        `${chunk} tokens: ${many.length}, ${round(total(chunk))} µs a pass`,
    );
    all.push(...rows);
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
