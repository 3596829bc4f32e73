// What came of a question for a suggestion, and why nothing did, in words. Knows no editor.
import { t } from '@vscode/l10n';
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
  const last = answer ? explainAnswer(answer, now) : never();
  if (thinkingMs === 0) return last;
  const seconds = (thinkingMs / 1000).toFixed(1);
  return t('A suggestion has been in the making for {0} s. Before: {1}', seconds, last);
}

const never = () => t('Nothing was asked for yet. Type something in a file of code.');

function explainAnswer({ outcome, at, elapsedMs }: Answer, now: number): string {
  const ago = Math.max(0, Math.round((now - at) / 1000));
  const ms = Math.round(elapsedMs);
  if (outcome.kind === 'nothing')
    return t('No suggestion {0} s ago, in {1} ms: {2}', ago, ms, because(outcome.reason));
  switch (outcome.source) {
    case 'model':
      return t('The last suggestion came {0} s ago, in {1} ms.', ago, ms);
    case 'running':
      return t(
        'The last suggestion came {0} s ago, in {1} ms, by typing along with the model.',
        ago,
        ms,
      );
    case 'memory':
      return t('The last suggestion came {0} s ago, in {1} ms, from memory.', ago, ms);
  }
}

/** What to do where suggestions do not come by themselves. */
const byHand = () => t('Ask for one with the command "Trigger Inline Suggestion".');

function because(reason: Reason): string {
  switch (reason.kind) {
    case 'off':
      return t('completion is off. Turn it on in the menu of the status bar.');
    case 'paused':
      return `${t('completion is paused. Resume it in the menu of the status bar.')} ${byHand()}`;
    case 'manual':
      return `${t('lckv.trigger is "manual".')} ${byHand()}`;
    case 'language':
      return `${t('completion is off for {0}. Turn it on in lckv.languages.', reason.language)} ${byHand()}`;
    case 'scope':
      return `${t('completion is off in {0}. Turn it on in lckv.scopes.', reason.scope)} ${byHand()}`;
    case 'battery':
      return `${t('the computer runs on battery and lckv.onBattery is "manual".')} ${byHand()}`;
    case 'unwritable':
      return t('this document is not for writing code. Try a file.');
    case 'diff':
      return `${t('this is a comparison. Open the file itself.')} ${byHand()}`;
    case 'large':
      return `${t('the document is very large.')} ${byHand()}`;
    case 'deleted':
      return `${t('text was just deleted. Type on.')} ${byHand()}`;
    case 'undone':
      return `${t('something was just undone or redone. Type on.')} ${byHand()}`;
    case 'loading':
      return t('the model is not ready. The status bar says what it is doing.');
    case 'generating':
      return t('code is being generated, waits to be accepted or rejected, or a benchmark runs.');
    case 'superseded':
      return t('you typed on or moved the cursor before it came.');
    case 'lost':
      return t('the inference worker ended. It starts again by itself; the log says why it ended.');
    case 'blank':
      return t('the model had nothing to add here. Type a little more.');
    case 'trimmed':
      return t('what the model wrote is behind the cursor already. Type a little more.');
    case 'unsure':
      return `${t('the model held the line for less probable than lckv.confidence.')} ${byHand()}`;
    case 'failed':
      return `${reason.message} ${t('The log says more.')}`;
  }
}
