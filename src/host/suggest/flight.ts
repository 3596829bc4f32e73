// A running generation that outlives the question it was started for: whoever types what it is
// writing takes it over. Knows no editor.
import { typedBetween, type Place } from './place';

/** Writes a completion, telling it piece by piece; resolves when it is over, rejects if it failed. */
export type Write = (onText: (piece: string) => void, signal: AbortSignal) => Promise<void>;

/** One generation for a place, until it is over or was cancelled. */
export class Flight {
  readonly place: Place;
  readonly ended: Promise<void>;
  private text = '';
  private isOver = false;
  /** Where the one who waits for it has typed to; undefined while nobody does. */
  private cursor: Place | undefined;
  private readonly controller = new AbortController();

  constructor(place: Place, write: Write) {
    this.place = place;
    const onText = (piece: string) => {
      this.text += piece;
      if (this.cursor && !this.agrees(this.cursor)) this.cancel();
    };
    this.ended = write(onText, this.controller.signal).finally(() => (this.isOver = true));
    // Those who wait see a failure; where nobody does, it must not end the process.
    this.ended.catch(() => {});
  }

  get isActive(): boolean {
    return !this.isOver && !this.controller.signal.aborted;
  }

  /** It was asked for, and not made ahead. */
  get isAsked(): boolean {
    return this.cursor !== undefined;
  }

  /** Takes it over at a place; false when something else was typed than it writes. */
  adopt(place: Place): boolean {
    if (!this.isActive || !this.agrees(place)) return false;
    this.cursor = place;
    return true;
  }

  /** Typing on from the place may still lead to it. */
  isReachable(place: Place): boolean {
    return typedBetween(place, this.place) !== undefined || this.agrees(place);
  }

  cancel(): void {
    this.controller.abort();
  }

  private agrees(place: Place): boolean {
    const typed = typedBetween(this.place, place);
    return typed !== undefined && (this.text.startsWith(typed) || typed.startsWith(this.text));
  }
}
