// From a cursor to a suggestion: what to ask the worker, what to make of its answer, and when not
// to ask at all. The newest call wins. Knows no editor.
import { setTimeout as sleep } from 'node:timers/promises';
import { GREEDY, type CompletionRequest } from '../protocol';
import { trimCompletion, type Trimmed } from '../text/trim';
import { completionWindow } from '../text/window';
import type { Settings } from './settings';

/** A cursor in a document, with all of its text and `\n` line ends. */
export interface Place {
  uri: string;
  path: string;
  language: string;
  before: string;
  after: string;
}

/** Asks the worker; undefined when there is no answer. */
export type Complete = (
  request: CompletionRequest,
  signal: AbortSignal,
) => Promise<string | undefined>;

/** Makes suggestions, one at a time, and remembers the last one while it is being typed. */
export class Suggester {
  private readonly complete: Complete;
  private readonly settings: () => Settings;
  private last: (Trimmed & Place) | undefined;
  private newest = new AbortController();

  constructor(complete: Complete, settings: () => Settings) {
    this.complete = complete;
    this.settings = settings;
  }

  /** The suggestion for a place; undefined when there is none or a newer call has come. */
  async suggest(place: Place, delayMs: number, cancel: AbortSignal): Promise<Trimmed | undefined> {
    this.newest.abort();
    this.newest = new AbortController();
    const remembered = this.last && remaining(this.last, place);
    if (remembered) return remembered;

    const signal = AbortSignal.any([cancel, this.newest.signal]);
    if (delayMs > 0) await sleep(delayMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return undefined;
    const completion = await this.complete(this.request(place), signal);
    if (!completion || signal.aborted) return undefined;
    const { language, before: prefix, after: suffix } = place;
    const trimmed = trimCompletion({ language, prefix, suffix, completion });
    if (trimmed.insert === '') return undefined;
    this.last = { ...place, ...trimmed };
    return trimmed;
  }

  private request({ path, language, before, after }: Place): CompletionRequest {
    const { maxTokens, extent } = this.settings();
    const line = before.slice(before.lastIndexOf('\n') + 1);
    const automatic = line.trim() === '' ? 'block' : 'line';
    return {
      path,
      language,
      ...completionWindow(before, after),
      maxTokens,
      extent: extent === 'auto' ? automatic : extent,
      sampling: GREEDY,
    };
  }
}

/** What is left of a suggestion after its beginning was typed; undefined if anything else was. */
function remaining(last: Trimmed & Place, now: Place): Trimmed | undefined {
  if (now.uri !== last.uri || !now.before.startsWith(last.before)) return undefined;
  const typed = now.before.slice(last.before.length);
  if (!last.insert.startsWith(typed) || typed.length === last.insert.length) return undefined;
  const insert = last.insert.slice(typed.length);

  if (now.after.endsWith(last.after)) {
    // The editor may have closed a bracket or quote that was typed; the suggestion closes it too.
    const added = now.after.slice(0, now.after.length - last.after.length);
    const isClosed = /^[)\]}>"'`]{0,2}$/.test(added) && insert.includes(added);
    return isClosed ? { insert, replace: last.replace + added.length } : undefined;
  }
  // Or typing a closer went over the one that was there, which the suggestion replaces.
  const overtyped = last.after.length - now.after.length;
  if (overtyped > last.replace || !last.after.endsWith(now.after)) return undefined;
  return { insert, replace: last.replace - overtyped };
}
