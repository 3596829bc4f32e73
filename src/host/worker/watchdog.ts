// Notices a worker that hangs: asks for a sign of life and counts what stays unanswered. It counts
// its own ticks and no clock, so a machine that slept or a clock that was set is not a hang.

export interface WatchdogOptions {
  /** Milliseconds between two questions. */
  everyMs: number;
  ask(): void;
  /** Called once when `limit` questions in a row brought nothing. */
  onHang(silentMs: number): void;
}

/** Watches only while there is something to wait for; at rest it costs nothing. */
export class Watchdog {
  private readonly options: WatchdogOptions;
  private timer: NodeJS.Timeout | undefined;
  private silent = 0;
  private limit = 0;

  constructor(options: WatchdogOptions) {
    this.options = options;
  }

  /** Starts watching, or goes on with another limit. */
  watch(limit: number): void {
    this.limit = limit;
    if (this.timer) return;
    this.silent = 0;
    this.timer = setInterval(() => this.tick(), this.options.everyMs);
    this.timer.unref();
  }

  /** Something came from the worker. */
  heard(): void {
    this.silent = 0;
  }

  rest(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private tick(): void {
    if (this.silent < this.limit) {
      this.silent++;
      return this.options.ask();
    }
    this.rest();
    this.options.onHang(this.limit * this.options.everyMs);
  }
}
