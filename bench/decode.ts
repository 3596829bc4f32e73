/**
 * Prefill and decode speed of an LCKV layout beside a standard transformer of the same shape
 * (random int8 weights), on one device in one run. A table for people, then one line of JSON for
 * each row. `npm run bench -- [--tokens 128,512] [--chunk 128]`
 *
 * Prefill is bound by arithmetic, decode by reading the weights: gbPerSecond is the bytes of all
 * weights but the embedding's unused rows, divided by the time of a decode step.
 */
import { parseArgs } from 'node:util';
import { Engine } from '../src/engine/engine';
import { Gpu } from '../src/engine/gpu';
import { randomSource } from '../test/random-source';

const SHAPE = {
  model_type: 'lckv-llama',
  vocab_size: 16384,
  hidden_size: 512,
  intermediate_size: 1536,
  num_hidden_layers: 12,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  tie_word_embeddings: true,
  max_position_embeddings: 8192,
  quantization: { format: 'int8-group', group_size: 32 },
};
const LAYOUTS = {
  'sandwich-middle': '0_5_5_5_5_5_5_5_5_5_5_11',
  'first paper w=2': '0_10_10_10_10_10_10_10_10_10_10_11',
  standard: '0_1_2_3_4_5_6_7_8_9_10_11',
};
const REPEATS = 5;
const DECODE_STEPS = 16;

const { values } = parseArgs({
  options: { tokens: { type: 'string', default: '128,512' }, chunk: { type: 'string' } },
});
const chunkTokens = values.chunk === undefined ? undefined : Number(values.chunk);
const gpu = await Gpu.open();
console.log(`${gpu.info.description || gpu.info.vendor}, ${gpu.info.architecture}`);
const rows: Record<string, string | number>[] = [];
for (const [layout, layerTypes] of Object.entries(LAYOUTS)) {
  // Small weights: like trained ones, and unlike larger random ones, they converge in few passes.
  const source = randomSource({ ...SHAPE, layer_types: layerTypes }, 'I8', 1, 0.02);
  const engine = await Engine.load(gpu, source, { chunkTokens });
  for (const tokens of values.tokens.split(',').map(Number)) {
    rows.push({ layout, ...(await measure(engine, tokens)) });
  }
  engine.dispose();
}
console.table(rows);
for (const row of rows)
  console.log(JSON.stringify({ bench: 'decode', device: gpu.info.description, ...row }));
process.exit(0);

async function measure(engine: Engine, tokens: number) {
  const prompt = Array.from({ length: tokens }, (_, i) => (i * 7919) % SHAPE.vocab_size);
  const prefillMs: number[] = [];
  const decodeMs: number[] = [];
  let passes = 0;
  for (let repeat = 0; repeat <= REPEATS; repeat++) {
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

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1];
}

function round(x: number): number {
  return Number(x.toPrecision(4));
}
