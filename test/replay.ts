/**
 * A person who types what is shown, key by key, with the extension's suggester and the real worker:
 * where the answers come from, how long they take, and what is read and generated in vain.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../src/engine/sample';
import { readSettings } from '../src/host/settings';
import type { Outcome } from '../src/host/suggest/outcome';
import { accepted, type Place } from '../src/host/suggest/place';
import { Suggester } from '../src/host/suggest/suggester';
import type { WorkerRelay } from '../src/host/worker/relay';
import type { Timings } from '../src/protocol';

/** One question: after what, and how it was answered. */
export interface Step {
  /** By command at a new place, or after a key of what is shown, another key, or an acceptance; or keys
   * while it is being written. */
  after: 'asked' | 'agreed' | 'differed' | 'accepted' | 'along';
  source: 'model' | 'running' | 'memory' | 'none';
  ms: number;
  /** Prompt tokens that the worker read for it. */
  freshTokens: number;
}

/** Types in several places of texts. */
export class Replay {
  readonly steps: Step[] = [];
  /** Completions that were asked for, and those of them that were cancelled before their end. */
  readonly completions = { asked: 0, cancelled: 0 };
  private readonly suggester: Suggester;
  private timings: Timings | undefined;

  constructor(relay: WorkerRelay, settings: Record<string, unknown>) {
    this.suggester = new Suggester({
      complete: async (request, signal, onText) => {
        this.completions.asked++;
        const completion = await relay.complete(request, signal, onText);
        if (signal.aborted) this.completions.cancelled++;
        this.timings = completion?.timings;
        return completion;
      },
      settings: () => readSettings((name) => settings[name]),
      extentAt: () => 'line',
    });
  }

  /** Asks at the place, types what is shown, accepts what comes next, and types something else.
   * Returns what was shown first. */
  async visit(place: Place): Promise<string> {
    let here = place;
    let shown = await this.ask(here, 'asked', false);
    const first = shown;
    for (const key of shown) {
      here = { ...here, before: here.before + key };
      // As VS Code does: the edit is told of first.
      this.suggester.typed(here);
      if (here.before.length < place.before.length + shown.length) await this.ask(here, 'agreed');
    }
    shown = await this.ask(here, 'accepted');
    here = accepted(here, { insert: shown, replace: 0 });
    await this.ask(here, 'accepted');
    for (const key of 'qz') {
      here = { ...here, before: here.before + key };
      this.suggester.typed(here);
      await this.ask(here, 'differed');
    }
    return first;
  }

  /** Types the first keys of what will come while it is being written; nothing is remembered. */
  async typeAlong(place: Place, text: string): Promise<void> {
    this.suggester.forget();
    let cancel = new AbortController();
    let answer = this.suggester.suggest(place, { isAutomatic: true, cancel: cancel.signal });
    for (const key of text) {
      await sleep(5);
      place = { ...place, before: place.before + key };
      this.suggester.typed(place);
      cancel.abort();
      cancel = new AbortController();
      answer = this.suggester.suggest(place, { isAutomatic: true, cancel: cancel.signal });
    }
    const outcome = await answer;
    const source = outcome.kind === 'suggestion' ? outcome.source : 'none';
    this.steps.push({ after: 'along', source, ms: 0, freshTokens: 0 });
  }

  private async ask(place: Place, after: Step['after'], isAutomatic = true): Promise<string> {
    const cancel = new AbortController().signal;
    const begin = performance.now();
    this.timings = undefined;
    const outcome: Outcome = await this.suggester.suggest(place, { isAutomatic, cancel });
    const ms = performance.now() - begin;
    const { promptTokens = 0, reusedTokens = 0 } = this.timings ?? {};
    const source = outcome.kind === 'suggestion' ? outcome.source : 'none';
    this.steps.push({ after, source, ms, freshTokens: promptTokens - reusedTokens });
    return outcome.kind === 'suggestion' ? outcome.trimmed.insert : '';
  }
}

/** Cursors at random places of a text's lines. */
export function placesIn(path: string, language: string, text: string, count: number): Place[] {
  const random = seededRandom(text.length);
  return Array.from({ length: count }, () => {
    const at = Math.floor(random() * text.length);
    const end = text.indexOf('\n', at);
    const after = end < 0 ? '' : text.slice(end);
    return { uri: `file:///${path}`, path, language, before: text.slice(0, at), after };
  });
}
