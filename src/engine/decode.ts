/**
 * Greedy decoding ahead of its reader: the device chooses token after token, and the CPU hears of
 * them in batches, of which two are under way where a token is quick.
 */

/** Tokens of a batch: few at first, for the first text. */
const BATCHES = [1, 2, 4, 8];
/** Tokens slower than this are decoded one by one when they are asked for: any may be the last. */
const SLOW_TOKEN_MS = 15;
/** A batch takes no longer than this, so that a cancelled one is soon over. */
const BATCH_MS = 12;

/** How far ahead decoding goes, by how long tokens took on this device. */
export class Pace {
  private readonly fixed: number | null;
  private tokenMs = Infinity;

  /** fixed: tokens of every batch, whatever they take. */
  constructor(fixed: number | null = null) {
    this.fixed = fixed;
  }

  /** Batches may be under way before their tokens are asked for. */
  get isFast(): boolean {
    return this.fixed !== null || this.tokenMs < SLOW_TOKEN_MS;
  }

  /** Tokens of the nth batch. */
  size(n: number): number {
    if (this.fixed !== null) return this.fixed;
    const most = Math.max(1, Math.floor(BATCH_MS / this.tokenMs));
    return Math.min(BATCHES[Math.min(n, BATCHES.length - 1)], most);
  }

  /** A batch was made in `ms`. One that was held up counts half. */
  heard(tokens: number, ms: number): void {
    const mine = ms / tokens;
    this.tokenMs = Math.min(mine, (this.tokenMs + mine) / 2);
  }
}

/** Greedy decoding of one sequence, or a step of several at a time: T is what a position gets. */
export class Decoder<T> {
  private readonly run: (position: number, count: number) => Promise<T[]>;
  private readonly pace: Pace;
  /** Where the next batch begins; what stands there, only the device may know. */
  private position: number;
  private readonly end: number;
  /** Batches that were submitted and not asked for yet. */
  private readonly underWay: Promise<T[]>[] = [];
  private started = 0;
  private heardAt = 0;

  /**
   * What was chosen last stands at `position` without keys and values; no batch passes `end`. `run`
   * puts `count` positions from one on under way, before it returns, and resolves with what follows.
   */
  constructor(
    run: (position: number, count: number) => Promise<T[]>,
    pace: Pace,
    position: number,
    end: number,
  ) {
    this.run = run;
    this.pace = pace;
    this.position = position;
    this.end = end;
  }

  /** Where it is quick, submits what will be asked for next. */
  startAhead(): void {
    while (this.pace.isFast && this.underWay.length < 2 && this.start());
  }

  /** The next tokens, none at the end. */
  async next(): Promise<T[]> {
    if (this.underWay.length === 0) this.start();
    return (await this.underWay.shift()) ?? [];
  }

  private start(): boolean {
    const { position } = this;
    const count = Math.min(this.pace.size(this.started), this.end - position);
    if (count <= 0) return false;
    this.started++;
    this.position += count;
    const tokens = this.timed(position, count);
    tokens.catch(() => {}); // told when it is asked for, if it is
    this.underWay.push(tokens);
    return true;
  }

  private async timed(position: number, count: number): Promise<T[]> {
    const submitted = performance.now();
    const tokens = await this.run(position, count);
    const now = performance.now();
    this.pace.heard(count, now - Math.max(submitted, this.heardAt));
    this.heardAt = now;
    return tokens;
  }
}
