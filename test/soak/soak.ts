/**
 * A long working day: edits over many files through the real suggester, syntax trees, relay and
 * worker, on a real device with a tiny model. What host and worker hold is written down now and then.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { quantile } from '../../bench/report';
import { readSettings } from '../../src/host/settings';
import { Suggester } from '../../src/host/suggest/suggester';
import { Syntax } from '../../src/syntax/syntax';
import { tinyConfig, tinyModel } from '../checkpoints';
import { Editor, loadOf, until, withEnvironment } from '../faults/editor';
import { Typist } from './typist';

/** What is held after some edits, and how quick the edits before it were. */
export interface Sample {
  edits: number;
  seconds: number;
  hostHeap: number;
  hostRss: number;
  workerHeap: number;
  workerRss: number;
  /** Buffers on the device that are neither destroyed nor collected, and their bytes. */
  gpuBuffers: number;
  gpuBytes: number;
  /** Earlier prompts, the buffers that keep them, their bytes and how many may be taken. */
  warmPrompts: number;
  pages: number;
  pageBytes: number;
  pageBudget: number;
  answers: number;
  p50Ms: number;
  p95Ms: number;
  /** Of the worker's processor time for an answer, which other programs hardly change. */
  p95CpuMs: number;
}

export interface SoakOptions {
  edits: number;
  /** Edits between two samples. */
  every: number;
  /** Memory for earlier prompts, in bytes; default 1 MiB, for some twenty of them. */
  cacheBytes?: number;
  /** Labels of buffers that are never given back, to see that this is noticed. */
  leak?: string;
  onSample?: (sample: Sample) => void;
}

const CONTEXT_TOKENS = 128;
/** Little, so that earlier prompts come and go. */
const CACHE_BYTES = 1 << 20;
const SETTINGS: Record<string, unknown> = { maxTokens: 4 };

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Works for so many edits; throws when a suggestion fails or the worker is lost. */
export async function soak(options: SoakOptions): Promise<Sample[]> {
  const { edits, every, cacheBytes = CACHE_BYTES, leak, onSample } = options;
  const config = { ...tinyConfig, max_position_embeddings: 1 << 20 };
  const { dir, remove } = await tinyModel(config);
  const folder = mkdtempSync(join(tmpdir(), 'lckv-soak-'));
  const counts = join(folder, 'counts.json');
  const editor = new Editor();
  const syntax = new Syntax(join('dist', 'grammars'));
  try {
    const env = {
      NODE_OPTIONS: `--import=${pathToFileURL('test/soak/count.mjs').href}`,
      LCKV_COUNTS: counts,
      LCKV_LEAK: leak ?? '',
    };
    const load = { ...loadOf(dir, CONTEXT_TOKENS), cacheBytes };
    await withEnvironment(env, () => editor.relay.start(load));
    await editor.ready();
    const typist = new Typist(suggesterOf(editor, syntax), () => cpuMs(editor.relay.pid!));
    for (const language of ['typescript', 'python']) await syntax.load(language);
    await typist.warmUp();
    const samples: Sample[] = [];
    const begin = performance.now();
    const work = typist.work();
    for (let done = 1; done <= edits; done++) {
      await work.next();
      if (done % every !== 0) continue;
      const seconds = (performance.now() - begin) / 1000;
      const now = { edits: done, seconds, pageBudget: cacheBytes };
      samples.push({ ...now, ...(await held(editor, counts)), ...speed(typist) });
      onSample?.(samples.at(-1)!);
    }
    return samples;
  } finally {
    editor.close();
    syntax.dispose();
    await remove();
    rmSync(folder, { recursive: true });
  }
}

function suggesterOf({ relay }: Editor, syntax: Syntax): Suggester {
  return new Suggester({
    complete: (...request) => relay.complete(...request),
    choose: (...request) => relay.choose(...request),
    prepare: (...request) => relay.prepare(...request),
    settings: () => readSettings((name) => SETTINGS[name]),
    extentAt: (place) => syntax.extent(place),
  });
}

type Speed = Pick<Sample, 'answers' | 'p50Ms' | 'p95Ms' | 'p95CpuMs'>;
type Held = Omit<Sample, 'edits' | 'seconds' | 'pageBudget' | keyof Speed>;

/** What host and worker hold when nothing is under way and their garbage is gone. */
async function held({ relay }: Editor, file: string): Promise<Held> {
  await until(() => !relay.busy, 'the end of what runs');
  await sleep(100);
  rmSync(file, { force: true });
  process.kill(relay.pid!, 'SIGUSR2');
  await until(() => existsSync(file), 'the counts of the worker');
  const worker = JSON.parse(readFileSync(file, 'utf8')) as {
    rss: number;
    heapUsed: number;
    gpuBuffers: number;
    gpuBytes: number;
    pages: number;
    pageBytes: number;
  };
  const { warmPrompts } = (await relay.stats())!;
  collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  return {
    hostHeap: heapUsed,
    hostRss: rss,
    workerHeap: worker.heapUsed,
    workerRss: worker.rss,
    gpuBuffers: worker.gpuBuffers,
    gpuBytes: worker.gpuBytes,
    pages: worker.pages,
    pageBytes: worker.pageBytes,
    warmPrompts,
  };
}

/** Of the answers since the last sample. */
function speed(typist: Typist): Speed {
  const { latencies, cpuTimes } = typist;
  typist.latencies = [];
  typist.cpuTimes = [];
  return {
    answers: latencies.length,
    p50Ms: quantile(latencies, 0.5),
    p95Ms: quantile(latencies, 0.95),
    p95CpuMs: quantile(cpuTimes, 0.95),
  };
}

/** Processor time that the threads of a process have taken, as Linux counts it; 0 elsewhere. */
function cpuMs(pid: number): number {
  if (process.platform !== 'linux') return 0;
  const tasks = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = tasks.map((task) => {
    try {
      return Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      return 0; // the thread has just ended
    }
  });
  return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1e6;
}
