/**
 * How sure a model is of what it writes: by the probabilities of the tokens it has chosen, on the
 * first line, as what comes later can only be worse.
 */
import { LineExtent } from '../text/extent';

/** Follows the first line of one completion. */
export class Confidence {
  private readonly least: number;
  private readonly line = new LineExtent();
  private logs = 0;
  private tokens = 0;

  /** least: the geometric mean of the line's probabilities that is asked for, 0 to 1. */
  constructor(least = 0) {
    this.least = least;
  }

  /** Takes notice of a token: its text, and the natural logarithm of its probability. */
  take(piece: string, logProbability: number): void {
    if (this.line.ended) return;
    this.line.take(piece);
    this.logs += logProbability;
    this.tokens++;
  }

  /** The line is complete, or nothing more comes, and the model was not sure enough of it. */
  isLacking(isOver: boolean): boolean {
    if (this.least === 0 || this.tokens === 0 || !(isOver || this.line.ended)) return false;
    return Math.exp(this.logs / this.tokens) < this.least;
  }
}
