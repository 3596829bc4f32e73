/**
 * Where a completion of one line ends.
 */

/** Passes text on until the line that holds its first non-blank character is complete. */
export class LineExtent {
  /** The line is complete: nothing more will pass. */
  ended = false;
  private blank = true;

  /** What of the next piece belongs to the line; its line break does not. */
  take(piece: string): string {
    const first = this.blank ? piece.search(/\S/) : 0;
    if (first < 0) return piece;
    this.blank = false;
    const length = piece.slice(first).search(/[\r\n]/);
    this.ended = length >= 0;
    return this.ended ? piece.slice(0, first + length) : piece;
  }
}
