// Counts of suggestions since the start, in memory only. Knows no editor.
import { t } from '@vscode/l10n';
import type { Answer } from './outcome';

/** How many of the last answers the latencies are of. */
const WINDOW = 200;

/** What became of suggestions in this window. */
export interface Summary {
  shown: number;
  accepted: number;
  /** Milliseconds from the question to a suggestion: median and 95th percentile of the last ones. */
  p50Ms: number;
  p95Ms: number;
  /** The share of answers that needed no generation of their own, 0 to 1. */
  reused: number;
  /** The share of accepted text that was still there after 30 s, 0 to 1; undefined before that. */
  kept: number | undefined;
}

/** Counts answers and acceptances. */
export class Statistics {
  /** The last answer of all, with or without a suggestion. */
  last: Answer | undefined;
  private shown = 0;
  private accepted = 0;
  private answered = 0;
  private reused = 0;
  private keptCharacters = 0;
  private measuredCharacters = 0;
  private readonly latencies: number[] = [];

  add(answer: Answer): void {
    this.last = answer;
    const { outcome, elapsedMs } = answer;
    if (outcome.kind === 'nothing') return;
    this.answered++;
    if (outcome.isNew) this.shown++;
    if (outcome.source !== 'model') this.reused++;
    this.latencies.push(elapsedMs);
    if (this.latencies.length > WINDOW) this.latencies.shift();
  }

  accept(): void {
    this.accepted++;
  }

  /** Notes how many characters of an accepted text are still there after a while. */
  keep(kept: number, of: number): void {
    this.keptCharacters += kept;
    this.measuredCharacters += of;
  }

  /** Milliseconds that the last suggestions took, the newest last. */
  get history(): readonly number[] {
    return this.latencies.slice(-60);
  }

  /** Undefined until there was a suggestion. */
  get summary(): Summary | undefined {
    if (this.answered === 0) return undefined;
    const { keptCharacters, measuredCharacters } = this;
    const sorted = this.latencies.toSorted((a, b) => a - b);
    const quantile = (share: number) => sorted[Math.ceil(share * sorted.length) - 1];
    return {
      shown: this.shown,
      accepted: this.accepted,
      p50Ms: quantile(0.5),
      p95Ms: quantile(0.95),
      reused: this.reused / this.answered,
      kept: measuredCharacters > 0 ? keptCharacters / measuredCharacters : undefined,
    };
  }
}

/** The summary as names and values. */
export function summaryFacts(summary: Summary | undefined): [string, string | number][] {
  if (!summary) return [[t('Shown'), 0]];
  const { shown, accepted, p50Ms, p95Ms, reused, kept } = summary;
  return [
    [t('Shown'), shown],
    [t('Accepted'), accepted],
    [t('Median time'), `${Math.round(p50Ms)} ms`],
    [t('95 % within'), `${Math.round(p95Ms)} ms`],
    [t('Served from memory'), percent(reused)],
    [t('Still there after 30 s'), kept === undefined ? t('not yet known') : percent(kept)],
  ];
}

const percent = (share: number) => `${Math.round(share * 100)} %`;

/** The summary in one line. */
export function describeSummary({ shown, accepted, p50Ms, p95Ms, reused, kept }: Summary): string {
  const summary = t(
    '{0} of {1} suggestions accepted, median {2} ms, 95 % within {3} ms, {4} from memory',
    accepted,
    shown,
    Math.round(p50Ms),
    Math.round(p95Ms),
    percent(reused),
  );
  return kept === undefined ? summary : `${summary}, ${t('{0} kept after 30 s', percent(kept))}`;
}
