/**
 * `peers`: prefill and decode of a standard transformer of the same shape in llama.cpp, through
 * node-llama-cpp, and of an LCKV layout and that standard one here, in one run on one machine.
 * node-llama-cpp is no dependency: `--peer FOLDER` names one where it is installed, or it is
 * installed into `.peers` (725 MB with its builds) when `--install` is given.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { decode } from './decode';
import { writeGguf, type GgufType } from './gguf';
import { noiseSource } from './noise';
import { median, numbers, report, round, type Row } from './report';
import { configOf, shapeOf } from './shapes';

const PACKAGE = 'node-llama-cpp';
const DECODE_STEPS = 64;
const REPEATS = 3;

/** What of node-llama-cpp is used here. */
interface Sequence {
  evaluateWithoutGeneratingNewTokens(tokens: number[]): Promise<void>;
  evaluate(tokens: number[], options: { temperature: number }): AsyncGenerator<number>;
  clearHistory(): Promise<void>;
}
interface Context {
  getSequence(): Sequence;
  dispose(): Promise<void>;
}
interface LlamaModel {
  createContext(options: { contextSize: number; batchSize: number }): Promise<Context>;
  dispose(): Promise<void>;
}
interface Llama {
  gpu: string | false;
  loadModel(options: { modelPath: string }): Promise<LlamaModel>;
}
interface Peer {
  getLlama(options: { gpu: string | false; build: 'never'; maxThreads: number }): Promise<Llama>;
}

/** Runs the benchmark. */
export async function peers(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      shape: { type: 'string', default: 'bundled' },
      tokens: { type: 'string', default: '128,512' },
      types: { type: 'string', default: 'F16,Q8_0,Q4_0' },
      gpu: { type: 'string', default: 'off' },
      peer: { type: 'string', default: '.peers' },
      install: { type: 'boolean', default: false },
      only: { type: 'boolean', default: false },
    },
  });
  const peer = await openPeer(resolve(values.peer), values.install);
  const llama = await peer.getLlama({
    gpu: values.gpu === 'off' ? false : values.gpu,
    build: 'never',
    maxThreads: availableParallelism(), // of its own it takes four: on two cores they wait for one another
  });
  const shape = shapeOf(values.shape);
  const source = noiseSource(configOf(values.shape, 'standard'));
  const rows: Row[] = [];
  for (const type of values.types.split(',') as GgufType[]) {
    const path = join(tmpdir(), `lckv-${values.shape}-${type}.gguf`);
    await writeGguf(path, source, type);
    try {
      const measured = await measure(llama, path, numbers(values.tokens), shape.vocab_size);
      rows.push(
        ...measured.map((row) => ({ engine: 'llama.cpp', shape: values.shape, type, ...row })),
      );
    } finally {
      await rm(path);
    }
  }
  report('peers', llama.gpu === false ? 'CPU' : llama.gpu, rows);
  if (values.only) return;
  const ours = ['--shape', values.shape, '--tokens', values.tokens, '--repeats', String(REPEATS)];
  await decode([...ours, '--layouts', 'middle,standard', '--precisions', 'f16,int8,int4']);
}

async function openPeer(folder: string, install: boolean): Promise<Peer> {
  const entry = join(folder, 'node_modules', PACKAGE, 'dist', 'index.js');
  if (!existsSync(entry)) {
    if (!install) {
      throw new Error(
        `${folder}: found no ${PACKAGE}. Name a folder with --peer, or add --install.`,
      );
    }
    mkdirSync(folder, { recursive: true });
    const options = ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts'];
    execFileSync('npm', [...options, `${PACKAGE}@3`], { stdio: 'inherit' });
  }
  return (await import(pathToFileURL(entry).href)) as Peer;
}

async function measure(
  llama: Llama,
  modelPath: string,
  lengths: number[],
  vocabulary: number,
): Promise<Row[]> {
  const model = await llama.loadModel({ modelPath });
  const contextSize = Math.max(...lengths) + DECODE_STEPS + 8;
  const context = await model.createContext({ contextSize, batchSize: 512 });
  const sequence = context.getSequence();
  const rows: Row[] = [];
  for (const tokens of lengths) {
    const prompt = Array.from(
      { length: tokens },
      (_, i) => 259 + ((i * 7919) % (vocabulary - 259)),
    );
    const prefillMs: number[] = [];
    const decodeMs: number[] = [];
    for (let repeat = 0; repeat <= REPEATS; repeat++) {
      await sequence.clearHistory();
      const begin = performance.now();
      await sequence.evaluateWithoutGeneratingNewTokens(prompt);
      const prefilled = performance.now();
      const steps = await decodeSteps(sequence);
      if (repeat === 0) continue; // warm-up
      prefillMs.push(prefilled - begin);
      decodeMs.push((performance.now() - prefilled) / steps);
    }
    rows.push({
      tokens,
      prefillMs: round(median(prefillMs)),
      prefillTokensPerSecond: round((1000 * tokens) / median(prefillMs)),
      decodeMs: round(median(decodeMs)),
      decodeTokensPerSecond: round(1000 / median(decodeMs)),
    });
  }
  await context.dispose();
  await model.dispose();
  return rows;
}

/** Decodes greedily; returns how many tokens came. */
async function decodeSteps(sequence: Sequence): Promise<number> {
  let steps = 0;
  for await (const token of sequence.evaluate([300], { temperature: 0 })) {
    steps++;
    if (steps === DECODE_STEPS || token < 0) break;
  }
  return steps;
}
