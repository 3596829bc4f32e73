// From a cursor to a suggestion: from memory, from a generation that is running, or from a new one.
// The newest question wins; a generation is cancelled only when something else is typed than it
// writes. Knows no editor.
import { setTimeout as sleep } from 'node:timers/promises';
import { GREEDY, type CompletionRequest, type Snippet } from '../../protocol';
import { trimCompletion, type Trimmed } from '../../text/trim';
import { completionWindow } from '../../text/window';
import { Flight } from './flight';
import { Memory, type Finished } from './memory';
import { nothing, type Outcome, type Reason } from './outcome';
import { Pace } from './pace';
import { accepted, type Place } from './place';
import type { Settings } from '../settings';

/** Asks the worker, telling the text as it comes; undefined when there is no answer. */
export type Complete = (
  request: CompletionRequest,
  signal: AbortSignal,
  onText: (piece: string) => void,
) => Promise<string | undefined>;

/** What of other files goes into the prompt for a document, at once. */
export type SnippetsOf = (uri: string) => readonly Snippet[];

/** How a suggestion is asked for. */
export interface Question {
  /** By typing and not by command: it may wait for a pause. */
  isAutomatic: boolean;
  /** Why the model is not to be asked; what is remembered is suggested all the same. */
  onlyMemory?: Reason;
  cancel: AbortSignal;
}

/** How long a generation goes on that nobody waits for any more, in milliseconds. */
const ORPHAN_MS = 500;

/** Makes suggestions; at most one generation runs at a time. */
export class Suggester {
  /** Generations that were asked for, and those made ahead for when a suggestion is accepted. */
  readonly generations = { asked: 0, ahead: 0 };
  private readonly complete: Complete;
  private readonly settings: () => Settings;
  private readonly extentAt: (place: Place) => 'line' | 'block';
  private readonly snippetsOf: SnippetsOf;
  private readonly memory = new Memory();
  private readonly pace = new Pace();
  private flight: Flight | undefined;
  private shown: Finished | undefined;
  private newest = new AbortController();
  private waiting = 0;
  private orphaned: NodeJS.Timeout | undefined;

  /** `extentAt` says how far a completion should go where the settings leave it open. */
  constructor(
    complete: Complete,
    settings: () => Settings,
    extentAt: (place: Place) => 'line' | 'block',
    snippetsOf: SnippetsOf = () => [],
  ) {
    this.complete = complete;
    this.settings = settings;
    this.extentAt = extentAt;
    this.snippetsOf = snippetsOf;
  }

  /** Somebody waits for a suggestion. */
  get busy(): boolean {
    return this.waiting > 0;
  }

  /** The document that something is being generated for, now or ahead. */
  get generatingFor(): string | undefined {
    return this.flight?.isActive ? this.flight.place.uri : undefined;
  }

  /** Forgets all completions, as when the model has changed. */
  forget(): void {
    this.memory.clear();
    this.flight?.cancel();
  }

  /** Lets go of the worker: something else needs it. */
  yield(): void {
    this.newest.abort();
    this.flight?.cancel();
  }

  /** Takes notice of typing before anything is asked: what runs in vain ends at once. */
  typed(place: Place): void {
    if (this.flight && !this.flight.isReachable(place)) this.flight.cancel();
  }

  /** The suggestion for a place, or why there is none. */
  async suggest(place: Place, question: Question): Promise<Outcome> {
    this.newest.abort();
    this.newest = new AbortController();
    const stop = AbortSignal.any([question.cancel, this.newest.signal]);
    this.waiting++;
    try {
      const answer = await this.answer(place, question, stop);
      return answer ?? nothing({ kind: stop.aborted ? 'superseded' : 'lost' });
    } catch (error) {
      return nothing({ kind: 'failed', message: (error as Error).message });
    } finally {
      this.waiting--;
      this.watchOrphan();
    }
  }

  private async answer(
    place: Place,
    { isAutomatic, onlyMemory }: Question,
    stop: AbortSignal,
  ): Promise<Outcome | undefined> {
    const remembered = this.recall(place, 'memory');
    if (remembered) return remembered;
    if (onlyMemory) return nothing(onlyMemory);

    if (this.flight?.adopt(place)) {
      await untilAborted(stop, this.flight.ended);
      const taken = stop.aborted ? undefined : this.recall(place, 'running');
      if (taken) return taken;
    } else {
      this.flight?.cancel();
      const delayMs = isAutomatic ? Math.max(this.settings().delayMs, this.pace.delayMs) : 0;
      if (delayMs > 0) await sleep(delayMs, undefined, { signal: stop }).catch(() => {});
    }
    if (stop.aborted) return undefined;

    this.generations.asked++;
    const flight = this.launch(place, (firstTextMs) => this.pace.add(firstTextMs));
    flight.adopt(place);
    await untilAborted(stop, flight.ended);
    return stop.aborted ? undefined : this.recall(place, 'model');
  }

  private recall(place: Place, source: 'model' | 'running' | 'memory'): Outcome | undefined {
    const recalled = this.memory.recall(place);
    if (!recalled) return undefined;
    const { finished, left } = recalled;
    if (left.insert === '') return nothing({ kind: finished.isWritten ? 'trimmed' : 'blank' });
    const isNew = finished !== this.shown;
    this.shown = finished;
    this.lookAhead(accepted(place, left));
    return { kind: 'suggestion', trimmed: left, source, isNew };
  }

  /** Generates what follows an acceptance while the user reads, where that is cheap. */
  private lookAhead(place: Place): void {
    if (!this.pace.isFast || this.generatingFor || this.memory.knows(place)) return;
    this.generations.ahead++;
    this.launch(place);
  }

  private launch(place: Place, onFirstText?: (ms: number) => void): Flight {
    const begin = performance.now();
    let isFirst = true;
    this.flight = new Flight(place, async (onText, signal) => {
      const completion = await this.complete(this.request(place), signal, (piece) => {
        if (isFirst) onFirstText?.(performance.now() - begin);
        isFirst = false;
        onText(piece);
      });
      if (completion === undefined || signal.aborted) return;
      const trimmed = trim(place, completion);
      this.memory.put({ place, trimmed, isWritten: completion.trim() !== '' });
    });
    return this.flight;
  }

  /** Ends a generation that nobody comes back to. */
  private watchOrphan(): void {
    clearTimeout(this.orphaned);
    this.orphaned = setTimeout(() => {
      if (!this.busy && this.flight?.isAsked) this.flight.cancel();
    }, ORPHAN_MS).unref();
  }

  private request(place: Place): CompletionRequest {
    const { uri, path, language, before, after } = place;
    const { maxTokens, extent } = this.settings();
    return {
      path,
      language,
      ...completionWindow(before, after),
      snippets: this.snippetsOf(uri),
      maxTokens,
      extent: extent === 'auto' ? this.extentAt(place) : extent,
      sampling: GREEDY,
    };
  }
}

function trim({ language, before: prefix, after: suffix }: Place, completion: string): Trimmed {
  return trimCompletion({ language, prefix, suffix, completion });
}

/** Waits for an end, but no longer than until the abort; passes a failure on. */
async function untilAborted(signal: AbortSignal, ended: Promise<void>): Promise<void> {
  if (signal.aborted) return;
  let leave = () => {};
  const aborted = new Promise<void>((resolve) => (leave = resolve));
  signal.addEventListener('abort', leave, { once: true });
  await Promise.race([ended, aborted]).finally(() => signal.removeEventListener('abort', leave));
}
