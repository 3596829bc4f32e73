/**
 * How sure a model is of what it writes: the probability of the first line, as it reckons it itself.
 * With every token it can only fall, so there is no need to wait for the line's end.
 */
import { LineExtent } from '../text/extent';

/** Follows the first line of one completion. */
export class Confidence {
  private readonly least: number;
  private readonly line = new LineExtent();
  /** Natural logarithm of the product of the tokens' probabilities. */
  private log = 0;

  /** least: the probability that is asked for, 0 to 1. */
  constructor(least = 0) {
    this.least = least;
  }

  get isLacking(): boolean {
    return Math.exp(this.log) < this.least;
  }

  /** Takes notice of a token: its text, and the natural logarithm of its probability. */
  take(piece: string, logProbability: number): void {
    if (this.line.ended) return;
    this.line.take(piece);
    this.log += logProbability;
  }
}
