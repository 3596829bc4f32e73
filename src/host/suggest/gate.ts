// Where and when not to suggest. Knows no editor.
import type { EditKind } from './edits';
import type { Reason } from './outcome';
import type { Settings } from '../settings';

/** What decides whether to suggest. */
export interface Situation {
  /** Asked for by typing, not by command. */
  isAutomatic: boolean;
  language: string;
  /** Scheme of the document's address. */
  scheme: string;
  /** The document cannot be changed. */
  isReadOnly: boolean;
  /** The document is one side of a comparison. */
  isDiff: boolean;
  characters: number;
  lastEdit: EditKind;
  isPaused: boolean;
  isReady: boolean;
}

/** Documents that nobody writes code in. */
const UNWRITABLE = new Set(['output', 'comment', 'debug', 'walkThrough', 'search-editor']);
/** Beyond this, reading the document at every key would be felt. */
const MAX_CHARACTERS = 1_000_000;

/** Why nothing at all is to be suggested; undefined if something may be. */
export function refusal(situation: Situation, settings: Settings): Reason | undefined {
  const { isAutomatic, language, scheme, isReadOnly, isDiff, characters } = situation;
  if (!settings.enabled) return { kind: 'off' };
  if (UNWRITABLE.has(scheme) || isReadOnly) return { kind: 'unwritable' };
  if (isAutomatic) {
    if (situation.isPaused) return { kind: 'paused' };
    if (settings.trigger === 'manual') return { kind: 'manual' };
    if (!isLanguageOn(settings.languages, language)) return { kind: 'language', language };
    if (isDiff) return { kind: 'diff' };
    if (characters > MAX_CHARACTERS) return { kind: 'large' };
  }
  return situation.isReady ? undefined : { kind: 'loading' };
}

/** Why the model is not to be asked, though what is remembered may be suggested. */
export function memoryOnly({ isAutomatic, lastEdit }: Situation): Reason | undefined {
  return isAutomatic && lastEdit !== 'written' ? { kind: lastEdit } : undefined;
}

/** Whether to suggest in a language by itself; `*` speaks for those that are not named. */
export function isLanguageOn(languages: Settings['languages'], language: string): boolean {
  return Object.hasOwn(languages, language) ? languages[language] : (languages['*'] ?? true);
}
