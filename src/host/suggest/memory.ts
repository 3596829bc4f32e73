// Finished completions and where they belong, so that typing what is shown, going back and undo
// need no model. Knows no editor.
import type { Trimmed } from '../../text/trim';
import type { Lack } from './outcome';
import { remaining, type Place } from './place';

/** A completion that the model has finished, and what of it fits into the document. */
export interface Finished {
  place: Place;
  /** The insert is empty where nothing fits. */
  trimmed: Trimmed;
  /** What it lacks, where the insert is empty. */
  lack: Lack;
}

/** A completion that goes on at a place, and what of it is left to type there. */
export interface Recalled {
  finished: Finished;
  left: Trimmed;
}

/** Most completions kept. */
const MAX_ENTRIES = 200;
/** Most characters of documents kept with them. */
const MAX_CHARACTERS = 20_000_000;

/** A bounded store of finished completions; of those that fit, the one used last is found. */
export class Memory {
  /** The one used last is at the end. */
  private readonly entries: Finished[] = [];
  private characters = 0;

  get size(): number {
    return this.entries.length;
  }

  put(finished: Finished): void {
    this.entries.push(finished);
    this.characters += charactersOf(finished);
    while (this.entries.length > MAX_ENTRIES || this.characters > MAX_CHARACTERS)
      this.characters -= charactersOf(this.entries.shift()!);
  }

  /** Stores others that go on at the place of one that stays before them. */
  putBehind(leader: Finished, others: readonly Finished[]): void {
    for (const other of others) this.put(other);
    const index = this.entries.indexOf(leader);
    if (index >= 0) this.entries.push(...this.entries.splice(index, 1));
  }

  /**
   * Everything that goes on at this place, what `recall` finds first; of texts that begin with one
   * another only one.
   */
  recallAll(place: Place): Trimmed[] {
    const found: Trimmed[] = [];
    for (let index = this.entries.length - 1; index >= 0; index--) {
      const left = this.fits(this.entries[index], place);
      if (!left || left.insert === '') continue;
      const isCovered = ({ insert }: Trimmed) =>
        insert.startsWith(left.insert) || left.insert.startsWith(insert);
      if (!found.some(isCovered)) found.push(left);
    }
    return found;
  }

  /** Forgets one completion. */
  drop(finished: Finished): void {
    const index = this.entries.indexOf(finished);
    if (index >= 0) this.characters -= charactersOf(this.entries.splice(index, 1)[0]);
  }

  /** Whether `recall` would find something; does not count as use. */
  knows(place: Place): boolean {
    return this.find(place) !== undefined;
  }

  /** The completion that goes on at this place. */
  recall(place: Place): Recalled | undefined {
    const found = this.find(place);
    if (found) this.entries.push(...this.entries.splice(found.index, 1));
    return found;
  }

  clear(): void {
    this.entries.length = 0;
    this.characters = 0;
  }

  private find(place: Place): (Recalled & { index: number }) | undefined {
    for (let index = this.entries.length - 1; index >= 0; index--) {
      const finished = this.entries[index];
      const left = this.fits(finished, place);
      if (left) return { finished, left, index };
    }
    return undefined;
  }

  private fits({ place: from, trimmed }: Finished, place: Place): Trimmed | undefined {
    // Lengths first: comparing whole documents takes longer.
    const typed = place.before.length - from.before.length;
    if (typed < 0 || typed > trimmed.insert.length) return undefined;
    return remaining(trimmed, from, place);
  }
}

function charactersOf({ place, trimmed }: Finished): number {
  return place.before.length + place.after.length + trimmed.insert.length;
}
