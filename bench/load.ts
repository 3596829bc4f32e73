/**
 * `load`: from a model folder to the first token, by precision: reading, converting, uploading,
 * compiling (the rest), memory, and decode speed. Each load is a process of its own, so that memory
 * is what that load takes. `--model DIR`, or `--shape 1.1b --layouts w2` writes a bf16 checkpoint of
 * that shape with random weights first.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Engine } from '../src/engine/engine';
import { openCheckpoint } from '../src/model/checkpoint';
import type { PrecisionChoice } from '../src/protocol';
import { noiseSource, writeCheckpoint } from './noise';
import { median, openGpu, report, round, type Row } from './report';
import { configOf } from './shapes';

const MIB = 2 ** 20;

/** Runs the benchmark. */
export async function load(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      model: { type: 'string', default: 'models/lckv-code-55m' },
      shape: { type: 'string' },
      layouts: { type: 'string', default: 'w2' },
      precisions: { type: 'string', default: 'auto,f16,int8,int4' },
      tokens: { type: 'string', default: '64' },
      single: { type: 'boolean', default: false },
    },
  });
  if (values.single) {
    const row = await once(
      values.model,
      values.precisions as PrecisionChoice,
      Number(values.tokens),
    );
    console.log(JSON.stringify(row));
    return;
  }
  for (const name of values.shape ? values.layouts.split(',') : ['']) {
    const dir = values.shape ? await written(values.shape, name) : values.model;
    try {
      measureEach(dir, values.precisions.split(','), values.tokens, {
        shape: values.shape ?? dir,
        name,
      });
    } finally {
      if (values.shape) await rm(dir, { recursive: true });
    }
  }
}

function measureEach(
  dir: string,
  precisions: string[],
  tokens: string,
  { shape, name }: { shape: string; name: string },
): void {
  const rows: Row[] = [];
  for (const precision of precisions) {
    const options = ['--single', '--model', dir, '--precisions', precision, '--tokens', tokens];
    const child = spawnSync(process.execPath, [process.argv[1], 'load', ...options], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = child.stdout.split('\n').find((text) => text.startsWith('{'));
    if (line) rows.push({ shape, layout: name, precision, ...(JSON.parse(line) as Row) });
    else console.log(`${precision}: ${child.stdout}`);
  }
  report('load', String(rows[0]?.gpu ?? ''), rows);
}

async function written(shape: string, name: string): Promise<string> {
  const json = configOf(shape, name);
  const dir = join(tmpdir(), `lckv-${shape}-${name}`);
  const begin = performance.now();
  const source = noiseSource(json);
  await writeCheckpoint(dir, json, source);
  const seconds = (performance.now() - begin) / 1000;
  console.log(`wrote ${round(source.totalBytes / 1e9)} GB of bf16 in ${round(seconds)} s`);
  return dir;
}

/** One load in this process. */
async function once(dir: string, precision: PrecisionChoice, tokens: number): Promise<Row> {
  const begin = performance.now();
  const checkpoint = await openCheckpoint(dir);
  const gpu = await openGpu();
  const opened = performance.now();
  const before = cardMemory();
  const engine = await Engine.load(gpu, checkpoint, { precision, contextTokens: tokens + 32 });
  const loaded = performance.now();
  await engine.prefill(Array.from({ length: tokens }, (_, i) => 7 + (i % 200)));
  const first = performance.now();
  const steps: number[] = [];
  for (let i = 0; i < 16; i++) {
    const start = performance.now();
    await engine.prefill([i]);
    steps.push(performance.now() - start);
  }
  const { readMs, convertMs, uploadMs, totalMs } = engine.loadTimes;
  const card = cardMemory();
  return {
    gpu: gpu.info.description || gpu.info.vendor,
    openMs: round(opened - begin),
    readMs: round(readMs),
    convertMs: round(convertMs),
    uploadMs: round(uploadMs),
    compileMs: round(totalMs - readMs - convertMs - uploadMs),
    loadMs: round(loaded - begin),
    firstTokenMs: round(first - loaded),
    decodeMs: round(median(steps)),
    tokensPerSecond: round(1000 / median(steps)),
    weightMiB: round(engine.weightBytes / MIB),
    peakRssMiB: round(process.resourceUsage().maxRSS / 1024),
    cardMiB: card === null || before === null ? null : card - before,
  };
}

/** Memory in use on an NVIDIA card, in MiB; null elsewhere. */
export function cardMemory(): number | null {
  try {
    const query = ['--query-gpu=memory.used', '--format=csv,noheader,nounits'];
    return Number(execFileSync('nvidia-smi', query, { encoding: 'utf8', stdio: 'pipe' }).trim());
  } catch {
    return null;
  }
}
