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

/** What the suggester works with; what is optional is done without. */
export interface SuggesterParts {
  complete: Complete;
  /** Several completions, the likeliest beginning first; undefined as for `complete`. */
  choose?: (
    request: CompletionRequest,
    count: number,
    signal: AbortSignal,
  ) => Promise<string[] | undefined>;
  /** Has the worker read a prompt while it has nothing else to do. */
  prepare?: (request: CompletionRequest, signal: AbortSignal) => Promise<unknown>;
  settings(): Settings;
  /** How far a completion should go where the settings leave it open. */
  extentAt(place: Place): 'line' | 'block';
  /** What of other files goes into the prompt for a document, at once. */
  snippets?(uri: string): readonly Snippet[];
  /** Power is to be saved: the computer runs on battery. */
  isSaving?: () => boolean;
}

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
/** The least pause before the model is asked while power is to be saved, in milliseconds. */
const SAVING_DELAY_MS = 300;

/** Makes suggestions; at most one generation runs at a time. */
export class Suggester {
  /** Generations asked for, those made ahead for after an acceptance, and prompts read ahead. */
  readonly generations = { asked: 0, ahead: 0, prepared: 0 };
  private readonly parts: SuggesterParts;
  private readonly memory = new Memory();
  private readonly pace = new Pace();
  private flight: Flight | undefined;
  private shown: Finished | undefined;
  private newest = new AbortController();
  private waiting = 0;
  private waitingSince = 0;
  private preparing = new AbortController();
  /** The first suggestion at a place where all choices are known. */
  private chosenAt: Finished | undefined;
  private orphaned: NodeJS.Timeout | undefined;

  constructor(parts: SuggesterParts) {
    this.parts = parts;
  }

  /** Somebody waits for a suggestion. */
  get busy(): boolean {
    return this.waiting > 0;
  }

  /** How long somebody has been waiting, in milliseconds; 0 while nobody is. */
  get busyMs(): number {
    return this.busy ? performance.now() - this.waitingSince : 0;
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
    if (this.waiting++ === 0) this.waitingSince = performance.now();
    this.preparing.abort();
    try {
      const answer = await this.answer(place, question, stop);
      if (!question.isAutomatic && answer?.kind === 'suggestion')
        return await this.withChoices(place, answer, stop);
      return answer ?? nothing({ kind: stop.aborted ? 'superseded' : 'lost' });
    } catch (error) {
      return nothing({ kind: 'failed', message: (error as Error).message });
    } finally {
      this.waiting--;
      this.watchOrphan();
    }
  }

  /** Has the model read what is before the cursor's line, unless it has something to do. */
  async prepare(place: Place): Promise<void> {
    const { prepare, isSaving } = this.parts;
    if (!prepare || this.busy || this.generatingFor || isSaving?.()) return;
    this.preparing.abort();
    this.preparing = new AbortController();
    this.generations.prepared++;
    // A line break may be one token with the indentation behind it.
    const before = place.before.slice(0, Math.max(0, place.before.lastIndexOf('\n')));
    // No extent: the text is not the document's, and its tree must not be built for it.
    const request = this.request({ ...place, before }, 'line');
    await prepare(request, this.preparing.signal).catch(() => {});
  }

  /** Who asks by command may want to choose. VS Code asks only once, so all must come now. */
  private async withChoices(
    place: Place,
    first: Outcome & { kind: 'suggestion' },
    stop: AbortSignal,
  ): Promise<Outcome> {
    const leader = this.shown;
    const { choose } = this.parts;
    const { choices } = this.parts.settings();
    if (!choose || choices < 2 || !leader || this.chosenAt === leader) return first;
    this.flight?.cancel();
    const texts = await choose(this.request(place), choices, stop).catch(() => undefined);
    if (!texts || stop.aborted) return first;
    this.chosenAt = leader;
    const others = texts.map((text) => ({ place, trimmed: trim(place, text), isWritten: true }));
    const fitting = others.filter(({ trimmed }) => trimmed.insert !== '');
    this.memory.putBehind(leader, fitting.reverse());
    return { ...first, others: this.memory.recallAll(place).slice(1) };
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
      const delayMs = isAutomatic ? this.delayMs : 0;
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
    const others = this.memory.recallAll(place).slice(1);
    return { kind: 'suggestion', trimmed: left, others, source, isNew };
  }

  private get delayMs(): number {
    const saving = this.parts.isSaving?.() ? SAVING_DELAY_MS : 0;
    return Math.max(this.parts.settings().delayMs, this.pace.delayMs, saving);
  }

  /** Generates what follows an acceptance while the user reads, where that is cheap. */
  private lookAhead(place: Place): void {
    if (this.parts.isSaving?.()) return;
    if (!this.pace.isFast || this.generatingFor || this.memory.knows(place)) return;
    this.generations.ahead++;
    this.launch(place);
  }

  private launch(place: Place, onFirstText?: (ms: number) => void): Flight {
    const begin = performance.now();
    let isFirst = true;
    this.flight = new Flight(place, async (onText, signal) => {
      const completion = await this.parts.complete(this.request(place), signal, (piece) => {
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

  private request(place: Place, known?: CompletionRequest['extent']): CompletionRequest {
    const { uri, path, language, before, after } = place;
    const { maxTokens, extent: wanted } = this.parts.settings();
    const extent = known ?? (wanted === 'auto' ? this.parts.extentAt(place) : wanted);
    return {
      path,
      language,
      ...completionWindow(before, after),
      snippets: this.parts.snippets?.(uri) ?? [],
      maxTokens,
      extent,
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
