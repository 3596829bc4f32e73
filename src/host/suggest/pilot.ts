// Runs the one generation there may be, and puts what it has written into memory. Knows no editor.
import type { CompletionRequest, StopReason } from '../../protocol';
import { trimCompletion, type Trimmed } from '../../text/trim';
import { Flight } from './flight';
import type { Memory } from './memory';
import { Pace } from './pace';
import type { Place } from './place';

/** Asks the worker, telling the text as it comes; undefined when there is no answer. */
export type Complete = (
  request: CompletionRequest,
  signal: AbortSignal,
  onText: (piece: string) => void,
) => Promise<{ text: string; reason: StopReason } | undefined>;

/** How long a generation goes on that nobody waits for any more, in milliseconds. */
const ORPHAN_MS = 500;

/** Starts generations, lets them be taken over, and ends those that serve nobody. */
export class Pilot {
  readonly pace = new Pace();
  private readonly complete: Complete;
  private readonly memory: Memory;
  private flight: Flight | undefined;
  private orphaned: NodeJS.Timeout | undefined;

  constructor(complete: Complete, memory: Memory) {
    this.complete = complete;
    this.memory = memory;
  }

  /** The document that something is being generated for. */
  get generatingFor(): string | undefined {
    return this.flight?.isActive ? this.flight.place.uri : undefined;
  }

  /** Takes over what runs, if it agrees with what was typed; else ends it. Resolves at its end. */
  adopt(place: Place): Promise<void> | undefined {
    if (this.flight?.adopt(place)) return this.flight.ended;
    this.cancel();
    return undefined;
  }

  /** Starts a generation that somebody waits for. Resolves at its end. */
  ask(place: Place, request: CompletionRequest): Promise<void> {
    const flight = this.launch(place, request, (firstTextMs) => this.pace.add(firstTextMs));
    flight.adopt(place);
    return flight.ended;
  }

  /** Starts a generation that nobody waits for yet. */
  lookAhead(place: Place, request: CompletionRequest): void {
    this.launch(place, request);
  }

  cancel(): void {
    this.flight?.cancel();
  }

  /** Ends what typing on from the place cannot lead to. */
  typed(place: Place): void {
    if (this.flight && !this.flight.isReachable(place)) this.flight.cancel();
  }

  /** Ends a generation that was asked for and that nobody comes back to. */
  watchOrphan(isWaitedFor: () => boolean): void {
    clearTimeout(this.orphaned);
    this.orphaned = setTimeout(() => {
      if (!isWaitedFor() && this.flight?.isAsked) this.flight.cancel();
    }, ORPHAN_MS).unref();
  }

  private launch(
    place: Place,
    request: CompletionRequest,
    onFirstText?: (ms: number) => void,
  ): Flight {
    const begin = performance.now();
    let isFirst = true;
    this.flight = new Flight(place, async (onText, signal) => {
      const completion = await this.complete(request, signal, (piece) => {
        if (isFirst) onFirstText?.(performance.now() - begin);
        isFirst = false;
        onText(piece);
      });
      if (!completion || signal.aborted) return;
      const { text, reason } = completion;
      const trimmed = reason === 'unsure' ? NOTHING : trimAt(place, text);
      const lack = reason === 'unsure' ? reason : text.trim() === '' ? 'blank' : 'trimmed';
      this.memory.put(place, { trimmed, lack });
    });
    return this.flight;
  }
}

const NOTHING: Trimmed = { insert: '', replace: 0 };

/** What of a completion fits in at a place. */
export function trimAt(place: Place, completion: string): Trimmed {
  const { language, before: prefix, after: suffix } = place;
  return trimCompletion({ language, prefix, suffix, completion });
}
