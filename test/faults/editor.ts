/**
 * What the extension host has of a worker, without VS Code: the relay and the real worker process.
 * Keeps what the status bar would say, and whether the host was ever blocked.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeStatus } from '../../src/host/status/status';
import type { Load, WorkerOptions } from '../../src/host/worker/options';
import { WorkerRelay } from '../../src/host/worker/relay';
import { GREEDY } from '../../src/protocol';
import { loadRequest } from '../load';

export const loadOf = (modelDir: string, contextTokens: number | null = 256): Load =>
  loadRequest(modelDir, { contextTokens });

/** Waits for a condition; names what did not come. */
export async function until(condition: () => boolean, what: string, limitMs = 60_000) {
  for (const end = performance.now() + limitMs; !condition(); await sleep(5))
    if (performance.now() > end) throw new Error(`Timed out: ${what}`);
}

export const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Runs with other environment variables, which the worker inherits. */
export async function withEnvironment(
  env: Record<string, string>,
  use: () => Promise<void> | void,
): Promise<void> {
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    await use();
  } finally {
    process.env = before;
  }
}

/** An editor window with its worker; whoever opens it closes it. */
export class Editor {
  readonly relay: WorkerRelay;
  /** Every text of the status bar, in order, without repeats. */
  readonly said: string[] = [];
  readonly refused: string[] = [];
  readonly log: string[] = [];
  private readonly delay = monitorEventLoopDelay({ resolution: 5 });

  constructor(options: Partial<WorkerOptions> = {}) {
    this.delay.enable();
    this.relay = new WorkerRelay({
      ...{ script: 'dist/worker.mjs', retryMs: 50, ...options },
      log: (line) => this.log.push(line),
      onChange: () => this.note(),
      onRefused: (_, message) => this.refused.push(message),
    });
  }

  get kind(): string {
    return this.relay.state.kind;
  }

  /** The reason of the newest failure. */
  get failure(): string {
    return this.said.findLast((label) => label.includes('error'))?.split('error. ')[1] ?? '';
  }

  /** The longest time that the host could not react, in milliseconds. */
  get blockedMs(): number {
    return Math.round(this.delay.max / 1e6);
  }

  ready = () => until(() => this.kind === 'ready', 'ready');
  failed = () => until(() => this.kind === 'failed', 'failed');

  /** Asks for a completion; undefined when none came. */
  async ask(prefix = 'let a = ', maxTokens = 4, signal = new AbortController().signal) {
    const request = {
      ...{ path: 'a.ts', language: 'typescript', prefix, suffix: '', snippets: [] },
      ...{ maxTokens, extent: 'block' as const, sampling: GREEDY },
    };
    try {
      const completion = await this.relay.complete(request, signal);
      return completion && completion.timings.generatedTokens;
    } catch {
      return undefined;
    }
  }

  /** Ready, and a completion comes. */
  async works(): Promise<void> {
    await this.ready();
    if (!(await this.ask())) throw new Error('No completion came.');
  }

  close(): void {
    this.relay.stop();
    this.delay.disable();
  }

  private note(): void {
    const { state } = this.relay;
    const status = state.kind === 'stopped' ? ({ kind: 'off' } as const) : state;
    const { label } = describeStatus(status);
    if (this.said.at(-1) !== label) this.said.push(label);
  }
}
