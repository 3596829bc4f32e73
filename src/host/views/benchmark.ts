// How quick the model is on this machine, measured by what the worker says of real requests.
import { t } from '@vscode/l10n';
import { GREEDY, type CompletionRequest, type Timings } from '../../protocol';

/** Runs one request; undefined when it was cancelled or the worker ended. */
export type Measure = (
  request: CompletionRequest,
  signal: AbortSignal,
) => Promise<Timings | undefined>;

/** Medians of the runs; null where nothing could be measured. */
export interface Benchmark {
  /** Tokens a second. */
  prefill: number | null;
  decode: number | null;
  /** Milliseconds to the first text, in a new document and after one more key. */
  coldMs: number | null;
  warmMs: number | null;
  /** Tokens of the prompt in a new document. */
  promptTokens: number | null;
}

const TOKENS = 32;

/** Measures; undefined when it was cancelled or the worker ended. `runs`: documents to measure with. `report` gets a share, 0 to 1. */
export async function benchmark(
  measure: Measure,
  runs: number,
  signal: AbortSignal,
  report: (share: number) => void,
): Promise<Benchmark | undefined> {
  const cold: Timings[] = [];
  const warm: Timings[] = [];
  for (let run = 0; run < runs; run++) {
    const name = `${Date.now() % 1_000_000}_${run}`;
    for (const [key, list] of [
      ['', cold],
      ['r', warm],
    ] as const) {
      const timings = await measure(request(name, key), signal);
      if (!timings || signal.aborted) return undefined;
      list.push(timings);
      report((cold.length + warm.length) / (2 * runs));
    }
  }
  const all = [...cold, ...warm];
  return {
    prefill: median(
      cold.map((run) => ((run.promptTokens - run.reusedTokens) / run.prefillMs) * 1000),
    ),
    decode: median(
      all
        .filter((run) => run.generatedTokens > 1)
        .map((run) => (run.generatedTokens / (run.totalMs - run.prefillMs)) * 1000),
    ),
    coldMs: median(cold.flatMap(({ firstTextMs }) => firstTextMs ?? [])),
    warmMs: median(warm.flatMap(({ firstTextMs }) => firstTextMs ?? [])),
    promptTokens: median(cold.map(({ promptTokens }) => promptTokens)),
  };
}

/** The findings as names and values. */
export function benchmarkFacts(found: Benchmark): [string, string][] {
  const number = (value: number | null, unit: string) =>
    value === null ? '–' : `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  return [
    [
      t('Prefill, {0} tokens of a new document', Math.round(found.promptTokens ?? 0)),
      number(found.prefill, t('tokens/s')),
    ],
    [t('Decode'), number(found.decode, t('tokens/s'))],
    [t('First text in a new document'), number(found.coldMs, 'ms')],
    [t('First text after one more key'), number(found.warmMs, 'ms')],
  ];
}

/** A document that no cache holds: its names are new in every run. `key` is typed at its end. */
function request(run: string, key: string): CompletionRequest {
  const names = Array.from({ length: 120 }, (_, i) => `value_${run}_${i}`);
  const body = names.map((name, i) => `def ${name}(a, b):\n    return a * ${i} + b\n\n\n`).join('');
  return {
    path: `benchmark_${run}.py`,
    language: 'python',
    prefix: `${body}def last_${run}(numbers):\n    total = 0\n    for number in numbers:\n        total += number\n    ${key}`,
    suffix: '',
    snippets: [],
    maxTokens: TOKENS,
    extent: 'block',
    sampling: GREEDY,
  };
}

function median(values: readonly number[]): number | null {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b);
  return sorted.length === 0 ? null : sorted[(sorted.length - 1) >> 1];
}
