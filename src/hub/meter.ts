// How far a download is, how fast, and how long it will still take.

/** A download at one moment. */
export interface Progress {
  doneBytes: number;
  totalBytes: number;
  /** Over the last few seconds; null before there is enough to tell. */
  bytesPerSecond: number | null;
  secondsLeft: number | null;
}

/** The speed is that of this many milliseconds. */
const WINDOW_MS = 5000;
/** Two samples are at least this far apart. */
const SAMPLE_MS = 100;

/** Counts bytes against time. */
export class Meter {
  private readonly totalBytes: number;
  private readonly now: () => number;
  private doneBytes = 0;
  private newBytes = 0;
  private samples: { ms: number; bytes: number }[] = [];

  constructor(totalBytes: number, now: () => number = () => performance.now()) {
    this.totalBytes = totalBytes;
    this.now = now;
  }

  /** Counts bytes; those that were there already do not count for the speed. */
  add(count: number, isNew: boolean): void {
    this.doneBytes += count;
    if (isNew) this.newBytes += count;
    const ms = this.now();
    const last = this.samples.at(-1);
    if (last && ms - last.ms < SAMPLE_MS) return;
    this.samples.push({ ms, bytes: this.newBytes });
    while (this.samples.length > 2 && ms - this.samples[1].ms >= WINDOW_MS) this.samples.shift();
  }

  progress(): Progress {
    const { doneBytes, totalBytes } = this;
    const first = this.samples[0];
    const elapsedMs = this.samples.length > 1 ? this.now() - first.ms : 0;
    const gained = this.newBytes - (first?.bytes ?? 0);
    const bytesPerSecond = elapsedMs > 0 && gained > 0 ? (gained * 1000) / elapsedMs : null;
    const secondsLeft = bytesPerSecond && (totalBytes - doneBytes) / bytesPerSecond;
    return { doneBytes, totalBytes, bytesPerSecond, secondsLeft };
  }
}
