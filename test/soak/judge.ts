/** Whether anything grew in a soak: the last quarter of its samples against the one after warm-up. */
import { quantile } from '../../bench/report';
import type { Sample } from './soak';

/** The first quarter is warm-up: code is compiled, bounded stores fill up. */
const QUARTER = 0.25;
const MOST_GROWTH = 0.05;
const MOST_SLOWER = 0.1;

export interface Change {
  what: string;
  /** Share by which the later median is above the earlier one. */
  change: number;
  most: number;
}

const MEASURES: readonly { what: string; of: (sample: Sample) => number; most: number }[] = [
  { what: 'host heap', of: ({ hostHeap }) => hostHeap, most: MOST_GROWTH },
  { what: 'host memory', of: ({ hostRss }) => hostRss, most: MOST_GROWTH },
  { what: 'worker heap', of: ({ workerHeap }) => workerHeap, most: MOST_GROWTH },
  { what: 'worker memory', of: ({ workerRss }) => workerRss, most: MOST_GROWTH },
  { what: 'GPU bytes', of: ({ gpuBytes }) => gpuBytes, most: MOST_GROWTH },
  { what: '95th percentile of processor time', of: ({ p95CpuMs }) => p95CpuMs, most: MOST_SLOWER },
  // What else runs on the machine decides this one: said, not judged.
  { what: '95th percentile', of: ({ p95Ms }) => p95Ms, most: Infinity },
];

/** How much each measure has changed. */
export function compare(samples: readonly Sample[]): Change[] {
  const length = Math.max(1, Math.floor(samples.length * QUARTER));
  const [early, late] = [samples.slice(length, 2 * length), samples.slice(-length)];
  const median = (part: readonly Sample[], of: (sample: Sample) => number) =>
    quantile(part.map(of), 0.5);
  return MEASURES.map(({ what, of, most }) => ({
    ...{ what, most },
    change: median(late, of) / median(early, of) - 1,
  }));
}

/** A sentence for each thing that grew. */
export function complaints(samples: readonly Sample[]): string[] {
  const grown = compare(samples)
    .filter(({ change, most }) => change > most)
    .map(({ what, change, most }) => {
      const [found, expected] = [change, most].map((share) => (share * 100).toFixed(1));
      return `${what} grew by ${found} %, expected at most ${expected} %`;
    });
  return [...grown, ...leaks(samples)];
}

/**
 * Apart from pages of earlier prompts, whose bytes are bounded, buffers are made at load only; a second
 * one for reading back comes when two batches are first under way.
 */
export function leaks(samples: readonly Sample[]): string[] {
  const others = samples.map(({ gpuBuffers, pages }) => gpuBuffers - pages);
  const [least, most] = [Math.min(...others), Math.max(...others)];
  const over = samples.find(({ pageBytes, pageBudget }) => pageBytes > pageBudget);
  return [
    ...(most - least > 1
      ? [
          `${least} to ${most} GPU buffers besides those of earlier prompts, expected the same number`,
        ]
      : []),
    ...(over
      ? [
          `${over.pageBytes} bytes in GPU buffers of earlier prompts, expected at most ${over.pageBudget}`,
        ]
      : []),
  ];
}

const mega = (bytes: number) => (bytes / 1e6).toFixed(1);

/** Samples as lines of a table. */
export const table = {
  head: 'edits  seconds  host MB  heap  worker MB  heap  GPU buffers  pages  warm  GPU MB  answers  p50 ms  p95 ms  CPU',
  row: (sample: Sample): string =>
    [
      sample.edits,
      sample.seconds.toFixed(0),
      ...[sample.hostRss, sample.hostHeap, sample.workerRss, sample.workerHeap].map(mega),
      ...[
        sample.gpuBuffers,
        sample.pages,
        sample.warmPrompts,
        mega(sample.gpuBytes),
        sample.answers,
      ],
      ...[sample.p50Ms, sample.p95Ms, sample.p95CpuMs].map((ms) => ms.toFixed(1)),
    ].join('  '),
};
