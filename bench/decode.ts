/**
 * `decode`: prefill and decode of an LCKV layout beside a standard transformer of the same shape
 * (random bf16 weights, converted), on one device in one run, by tokens in the cache.
 *
 * Prefill is bound by arithmetic, decode by reading the weights: gbPerSecond is the bytes of all
 * weights but the embedding's unused rows, divided by the time of a decode step.
 */
import { parseArgs } from 'node:util';
import { Engine } from '../src/engine/engine';
import type { Gpu } from '../src/engine/gpu';
import type { PrecisionChoice } from '../src/protocol';
import { noiseSource } from './noise';
import { median, numbers, openGpu, report, round, type Row } from './report';
import { layout, shapeOf } from './shapes';

const DECODE_STEPS = 16;

/** Runs the benchmark. */
export async function decode(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      tokens: { type: 'string', default: '128,512' },
      layouts: { type: 'string', default: 'middle,w2,standard' },
      shape: { type: 'string', default: 'bundled' },
      precisions: { type: 'string', default: 'int8' },
      chunk: { type: 'string' },
      repeats: { type: 'string', default: '5' },
    },
  });
  const lengths = numbers(values.tokens);
  const shape = shapeOf(values.shape);
  const gpu = await openGpu();
  const rows: Row[] = [];
  const runs = values.layouts
    .split(',')
    .flatMap((name) => values.precisions.split(',').map((precision) => ({ name, precision })));
  for (const { name, precision } of runs) {
    const config = { ...shape, layer_types: layout(name, shape.num_hidden_layers) };
    const engine = await Engine.load(gpu, noiseSource(config), {
      precision: precision as PrecisionChoice,
      chunkTokens: values.chunk === undefined ? undefined : Number(values.chunk),
      contextTokens: Math.max(...lengths) + DECODE_STEPS,
    });
    for (const tokens of lengths) {
      const measured = await measure(engine, tokens, Number(values.repeats));
      rows.push({ shape: values.shape, layout: name, precision, ...measured });
    }
    engine.dispose();
  }
  report('decode', deviceName(gpu), rows);
}

function deviceName({ info }: Gpu): string {
  return info.description || info.vendor;
}

async function measure(engine: Engine, tokens: number, repeats: number): Promise<Row> {
  const prompt = Array.from({ length: tokens }, (_, i) => (i * 7919) % engine.config.vocabSize);
  const prefillMs: number[] = [];
  const decodeMs: number[] = [];
  let passes = 0;
  for (let repeat = 0; repeat <= repeats; repeat++) {
    engine.crop(0);
    const begin = performance.now();
    ({ passes } = await engine.prefill(prompt));
    const prefilled = performance.now();
    for (let step = 0; step < DECODE_STEPS; step++) await engine.prefill([step]);
    if (repeat === 0) continue; // warm-up
    prefillMs.push(prefilled - begin);
    decodeMs.push((performance.now() - prefilled) / DECODE_STEPS);
  }
  const step = median(decodeMs);
  return {
    tokens,
    passes,
    prefillMs: round(median(prefillMs)),
    prefillTokensPerSecond: round((1000 * tokens) / median(prefillMs)),
    decodeMs: round(step),
    decodeTokensPerSecond: round(1000 / step),
    gbPerSecond: round(engine.weightBytes / step / 1e6),
  };
}
