// From a cursor to a suggestion: from memory, from a generation that is running, or from a new one.
// The newest question wins; a generation is cancelled only when something else is typed than it
// writes. Knows no editor.
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompletionRequest } from '../../protocol';
import { Memory, type Finished } from './memory';
import { nothing, type Outcome, type Reason } from './outcome';
import { Pilot, trimAt, type Complete } from './pilot';
import { accepted, type Place } from './place';
import { requestFor, type RequestParts } from './request';
import { untilAborted } from './wait';

/** What the suggester works with; what is optional is done without. */
export interface SuggesterParts extends RequestParts {
  complete: Complete;
  /** Several completions, the likeliest beginning first; undefined as for `complete`. */
  choose?: (
    request: CompletionRequest,
    count: number,
    signal: AbortSignal,
  ) => Promise<string[] | undefined>;
  /** Has the worker read a prompt while it has nothing else to do. */
  prepare?: (request: CompletionRequest, signal: AbortSignal) => Promise<unknown>;
  /** Power is to be saved: the computer runs on battery. */
  isSaving?: () => boolean;
}

/** How a suggestion is asked for. */
export interface Question {
  /** By typing and not by command: it may wait for a pause, and for what the model is sure of. */
  isAutomatic: boolean;
  /** Why the model is not to be asked; what is remembered is suggested all the same. */
  onlyMemory?: Reason;
  cancel: AbortSignal;
}

/** The least pause before the model is asked while power is to be saved, in milliseconds. */
const SAVING_DELAY_MS = 300;

/** Makes suggestions; at most one generation runs at a time. */
export class Suggester {
  /** Generations asked for, those made ahead for after an acceptance, and prompts read ahead. */
  readonly generations = { asked: 0, ahead: 0, prepared: 0 };
  private readonly parts: SuggesterParts;
  private readonly memory = new Memory();
  private readonly pilot: Pilot;
  private shown: Finished | undefined;
  private newest = new AbortController();
  private waiting = 0;
  private waitingSince = 0;
  private preparing = new AbortController();
  /** The first suggestion at a place where all choices are known. */
  private chosenAt: Finished | undefined;

  constructor(parts: SuggesterParts) {
    this.parts = parts;
    this.pilot = new Pilot(parts.complete, this.memory);
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
    return this.pilot.generatingFor;
  }

  /** Forgets all completions, as when the model has changed; what is waited for still comes. */
  forget(): void {
    this.memory.clear();
    if (!this.busy) this.pilot.cancel();
  }

  /** Lets go of the worker: something else needs it. */
  yield(): void {
    this.newest.abort();
    this.pilot.cancel();
  }

  /** Takes notice of typing before anything is asked: what runs in vain ends at once. */
  typed(place: Place): void {
    this.pilot.typed(place);
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
      this.pilot.watchOrphan(() => this.busy);
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
    const request = requestFor({ ...place, before }, this.parts, { extent: 'line' });
    await prepare(request, this.preparing.signal).catch(() => {});
  }

  private async answer(
    place: Place,
    { isAutomatic, onlyMemory }: Question,
    stop: AbortSignal,
  ): Promise<Outcome | undefined> {
    const remembered = this.recall(place, 'memory', isAutomatic);
    if (remembered) return remembered;
    if (onlyMemory) return nothing(onlyMemory);

    const running = this.pilot.adopt(place);
    if (running) {
      await untilAborted(stop, running);
      const taken = stop.aborted ? undefined : this.recall(place, 'running', isAutomatic);
      if (taken) return taken;
    } else {
      const delayMs = isAutomatic ? this.delayMs : 0;
      if (delayMs > 0) await sleep(delayMs, undefined, { signal: stop }).catch(() => {});
    }
    if (stop.aborted) return undefined;

    this.generations.asked++;
    const known = isAutomatic ? {} : { confidence: 0 };
    await untilAborted(stop, this.pilot.ask(place, requestFor(place, this.parts, known)));
    return stop.aborted ? undefined : this.recall(place, 'model', isAutomatic);
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
    this.pilot.cancel();
    const request = requestFor(place, this.parts);
    const texts = await choose(request, choices, stop).catch(() => undefined);
    if (!texts || stop.aborted) return first;
    this.chosenAt = leader;
    const others = texts.map((text): Finished => {
      return { trimmed: trimAt(place, text), lack: 'trimmed' };
    });
    const fitting = others.filter(({ trimmed }) => trimmed.insert !== '');
    this.memory.putBehind(leader, place, fitting.reverse());
    return { ...first, others: this.memory.recallAll(place).slice(1) };
  }

  private recall(
    place: Place,
    source: 'model' | 'running' | 'memory',
    isAutomatic: boolean,
  ): Outcome | undefined {
    const recalled = this.memory.recall(place);
    if (!recalled) return undefined;
    const { finished, left } = recalled;
    if (left.insert === '') {
      if (isAutomatic || finished.lack !== 'unsure') return nothing({ kind: finished.lack });
      // Who asks by command is told all the same.
      this.memory.drop(finished);
      return undefined;
    }
    const isNew = finished !== this.shown;
    this.shown = finished;
    this.lookAhead(accepted(place, left));
    const others = this.memory.recallAll(place).slice(1);
    return { kind: 'suggestion', trimmed: left, others, source, isNew };
  }

  private get delayMs(): number {
    const saving = this.parts.isSaving?.() ? SAVING_DELAY_MS : 0;
    return Math.max(this.parts.settings().delayMs, this.pilot.pace.delayMs, saving);
  }

  /** Generates what follows an acceptance while the user reads, where that is cheap. */
  private lookAhead(place: Place): void {
    if (this.parts.isSaving?.()) return;
    if (!this.pilot.pace.isFast || this.generatingFor || this.memory.knows(place)) return;
    this.generations.ahead++;
    this.pilot.lookAhead(place, requestFor(place, this.parts));
  }
}
