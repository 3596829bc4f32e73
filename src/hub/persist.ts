// Trying again: what fails for a moment is done once more after a pause, what fails for good is not.
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, join, say, type Sentence } from '../sentence';

/** A failure that may pass by itself, like a lost connection. */
export class PassingFailure extends Fault {
  /** What the server asked for; null where it did not say. */
  readonly waitMs: number | null;

  constructor(sentence: Sentence, waitMs: number | null = null) {
    super(sentence);
    this.waitMs = waitMs;
  }
}

/** How to try again. */
export interface Patience {
  /** Milliseconds before the second try, doubled with each one after it. */
  retryMs: number;
  signal: AbortSignal;
  /** Grows while there is progress; tries without any are counted, the others are free. */
  progress?: () => number;
}

/** Tries in a row that may fail without progress. */
const MAX_TRIES = 6;
/** A server that wants a longer pause is told about instead. */
const MAX_WAIT_MS = 120_000;

/** Runs an attempt until it succeeds, fails for good, or is cancelled by the signal. */
export async function persist<T>(attempt: () => Promise<T>, patience: Patience): Promise<T> {
  const { retryMs, signal, progress = () => 0 } = patience;
  for (let tries = 1; ; tries++) {
    const before = progress();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof PassingFailure)) throw error;
      if (progress() > before) tries = 1;
      const waitMs = error.waitMs ?? Math.min(retryMs * 2 ** (tries - 1), MAX_WAIT_MS);
      if (tries === MAX_TRIES || waitMs > MAX_WAIT_MS) throw givenUp(error, tries, waitMs);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

function givenUp(cause: PassingFailure, tries: number, waitMs: number): Error {
  const tried = tries === 1 ? say`Tried once.` : say`Tried ${tries} times.`;
  const minutes = Math.ceil(waitMs / 60_000);
  const again =
    waitMs > MAX_WAIT_MS
      ? say`What has arrived is kept: start the download again in ${minutes} minutes.`
      : say`What has arrived is kept: start the download again later.`;
  return new Fault(join(cause.sentence, tried, again), { cause });
}
