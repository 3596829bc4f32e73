// A pause in suggesting that ends by itself. Knows no editor.

/** How long a pause lasts, in milliseconds. */
export const PAUSE_MS = 10 * 60_000;
/** How often to tell that time has passed, in milliseconds. */
const TICK_MS = 10_000;

/** Runs or does not; tells every change and, now and then, that less is left. */
export class Pause {
  private readonly onChange: () => void;
  private end = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(onChange: () => void) {
    this.onChange = onChange;
  }

  /** Milliseconds left; 0 when it does not run. */
  get leftMs(): number {
    return Math.max(0, this.end - Date.now());
  }

  start(durationMs = PAUSE_MS): void {
    this.end = Date.now() + durationMs;
    this.tick();
  }

  stop(): void {
    this.end = 0;
    this.tick();
  }

  private tick(): void {
    clearTimeout(this.timer);
    const left = this.leftMs;
    // A timer may be early by less than a millisecond, which would be one change too many.
    if (left > 0) this.timer = setTimeout(() => this.tick(), Math.min(TICK_MS, left) + 1).unref();
    this.onChange();
  }
}
