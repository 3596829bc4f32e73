/**
 * `memory`: what keys and values take as documents stay warm (snapshots of the cache), a standard
 * transformer beside LCKV layouts of the same shape; resident memory of the process, and the card's
 * where it tells.
 */
import { parseArgs } from 'node:util';
import { Engine } from '../src/engine/engine';
import { cacheBytes } from '../src/engine/memory';
import { cardMemory } from './load';
import { deviceName, numbers, openGpu, report, round, type Row } from './report';
import { madeUp, modelOptions } from './shapes';

const MIB = 2 ** 20;

/** Runs the benchmark. */
export async function memory(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ...modelOptions,
      layouts: { type: 'string', default: 'standard,middle,w2' },
      tokens: { type: 'string', default: '1024' },
      documents: { type: 'string', default: '1,5,10,15,20' },
    },
  });
  const tokens = Number(values.tokens);
  const counts = numbers(values.documents);
  const gpu = await openGpu();
  const rows: Row[] = [];
  for (const { names, source, precision } of madeUp(values)) {
    const engine = await Engine.load(gpu, source, {
      precision,
      contextTokens: tokens,
      snapshotBytes: (Math.max(...counts) + 1) * cacheBytes(source.config, tokens),
    });
    let documents = 0;
    for (const count of counts) {
      // What a document's keys and values are does not matter here: one pass.
      for (; documents < count; documents++) await visit(engine, documents, tokens);
      const { snapshotBytes } = engine;
      rows.push({
        ...{ ...names, tokens, documents },
        kvBytesPerToken: cacheBytes(source.config, 1),
        warmMiB: round((snapshotBytes + cacheBytes(source.config, tokens)) / MIB),
        weightMiB: round(engine.weightBytes / MIB),
        residentMiB: round(process.memoryUsage.rss() / MIB),
        cardMiB: cardMemory(),
      });
    }
    engine.dispose();
  }
  report('memory', deviceName(gpu), rows);
}

/** A document comes into the cache, and what was there is kept aside. */
async function visit(engine: Engine, document: number, tokens: number): Promise<void> {
  const { vocabSize } = engine.config;
  const prompt = Array.from({ length: tokens }, (_, i) => (document * 31 + i * 7919) % vocabSize);
  engine.crop(engine.reuse(prompt));
  await engine.prefill(prompt, { passes: 1 });
}
