// How fast the model is here, and how long to wait for a pause in typing. Knows no editor.

/** How many measurements count. */
const WINDOW = 15;
/** Below this there is no need to wait, in milliseconds. */
const FAST_MS = 150;
/** The longest wait that the pace asks for, in milliseconds. */
const MAX_DELAY_MS = 500;

/** The recent times from a request to the first piece of text. */
export class Pace {
  private readonly recent: number[] = [];

  /** Notes the time of one request, in milliseconds. */
  add(firstTextMs: number): void {
    this.recent.push(firstTextMs);
    if (this.recent.length > WINDOW) this.recent.shift();
  }

  /** Text comes soon enough to ask ahead of the user; not known to before the first measurement. */
  get isFast(): boolean {
    return this.recent.length > 0 && median(this.recent) < FAST_MS;
  }

  /** The pause to wait for: none where the model is fast, more the slower it is. */
  get delayMs(): number {
    if (this.recent.length === 0) return 0;
    const excess = Math.max(0, median(this.recent) - FAST_MS);
    return Math.min(MAX_DELAY_MS, excess / 2);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
