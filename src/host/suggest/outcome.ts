// What came of a question for a suggestion, and why nothing did, in words. Knows no editor.
import type { Scope } from '../../syntax/scope';
import type { Trimmed } from '../../text/trim';

/** Why there is no suggestion. */
export type Reason =
  | {
      kind:
        | 'off'
        | 'paused'
        | 'manual'
        | 'unwritable'
        | 'diff'
        | 'large'
        | 'deleted'
        | 'undone'
        | 'battery';
    }
  | { kind: 'language'; language: string }
  | { kind: 'scope'; scope: Scope }
  | { kind: 'loading' | 'generating' | 'superseded' | 'lost' }
  /** The model wrote nothing, nothing that fits in, or something it was not sure of. */
  | { kind: Lack }
  | { kind: 'failed'; message: string };

/** Why a finished completion is none to suggest. */
export type Lack = 'blank' | 'trimmed' | 'unsure';

/** What came of one question. */
export type Outcome =
  | {
      kind: 'suggestion';
      trimmed: Trimmed;
      /** Other suggestions for the same place. */
      others: readonly Trimmed[];
      /** A new generation, one that was running already, or one that had ended before. */
      source: 'model' | 'running' | 'memory';
      /** Something else than what was shown before. */
      isNew: boolean;
    }
  | { kind: 'nothing'; reason: Reason };

/** An outcome, when it came, and how long it took. */
export interface Answer {
  outcome: Outcome;
  /** Milliseconds since the epoch. */
  at: number;
  elapsedMs: number;
}

/** The outcome without a suggestion. */
export function nothing(reason: Reason): Outcome {
  return { kind: 'nothing', reason };
}

/** The last answer in words, with what to do about it; `now` in milliseconds since the epoch.
 * `thinkingMs`: how long one has been waited for, 0 if none is. */
export function explain(answer: Answer | undefined, now: number, thinkingMs = 0): string {
  const last = answer ? explainAnswer(answer, now) : NEVER;
  if (thinkingMs === 0) return last;
  return `A suggestion has been in the making for ${(thinkingMs / 1000).toFixed(1)} s. Before: ${last}`;
}

const NEVER = 'Nothing was asked for yet. Type something in a file of code.';

function explainAnswer({ outcome, at, elapsedMs }: Answer, now: number): string {
  const when = `${Math.max(0, Math.round((now - at) / 1000))} s ago, in ${Math.round(elapsedMs)} ms`;
  if (outcome.kind === 'nothing') return `No suggestion ${when}: ${because(outcome.reason)}`;
  return `The last suggestion came ${when}${ORIGIN[outcome.source]}.`;
}

const ORIGIN = { model: '', running: ', by typing along with the model', memory: ', from memory' };

const BY_HAND = 'Ask for one with the command "Trigger Inline Suggestion"';

function because(reason: Reason): string {
  switch (reason.kind) {
    case 'off':
      return 'completion is off. Turn it on in the menu of the status bar.';
    case 'paused':
      return `completion is paused. Resume it in the menu of the status bar. ${BY_HAND}.`;
    case 'manual':
      return `lckv.trigger is "manual". ${BY_HAND}.`;
    case 'language':
      return `completion is off for ${reason.language}. Turn it on in lckv.languages. ${BY_HAND}.`;
    case 'scope':
      return `completion is off in ${reason.scope}. Turn it on in lckv.scopes. ${BY_HAND}.`;
    case 'battery':
      return `the computer runs on battery and lckv.onBattery is "manual". ${BY_HAND}.`;
    case 'unwritable':
      return 'this document is not for writing code. Try a file.';
    case 'diff':
      return `this is a comparison. Open the file itself. ${BY_HAND}.`;
    case 'large':
      return `the document is very large. ${BY_HAND}.`;
    case 'deleted':
      return `text was just deleted. Type on. ${BY_HAND}.`;
    case 'undone':
      return `something was just undone or redone. Type on. ${BY_HAND}.`;
    case 'loading':
      return 'the model is not ready. The status bar says what it is doing.';
    case 'generating':
      return 'code is being generated, waits to be accepted or rejected, or a benchmark runs.';
    case 'superseded':
      return 'you typed on or moved the cursor before it came.';
    case 'lost':
      return 'the inference worker ended. It starts again by itself; the log says why it ended.';
    case 'blank':
      return 'the model had nothing to add here. Type a little more.';
    case 'trimmed':
      return 'what the model wrote is behind the cursor already. Type a little more.';
    case 'unsure':
      return `the model held the line for less probable than lckv.confidence. ${BY_HAND}.`;
    case 'failed':
      return `${reason.message} The log says more.`;
  }
}
