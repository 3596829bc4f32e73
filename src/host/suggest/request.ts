// What the worker is asked for at a place. Knows no editor.
import { GREEDY, type CompletionRequest, type Snippet } from '../../protocol';
import { completionWindow } from '../../text/window';
import type { Settings } from '../settings';
import type { Place } from './place';

/** What a request depends on beside its place; what is optional is done without. */
export interface RequestParts {
  settings(): Settings;
  /** How far a completion should go where the settings leave it open. */
  extentAt(place: Place): 'line' | 'block';
  /** What of other files goes into the prompt for a document, at once. */
  snippets?(uri: string): readonly Snippet[];
}

/** A request for a place; `known` overrides what would be found out. */
export function requestFor(
  place: Place,
  parts: RequestParts,
  known: Partial<CompletionRequest> = {},
): CompletionRequest {
  const { uri, path, language, before, after } = place;
  const { maxTokens, extent, confidence } = parts.settings();
  return {
    path,
    language,
    ...completionWindow(before, after),
    snippets: parts.snippets?.(uri) ?? [],
    maxTokens,
    extent: known.extent ?? (extent === 'auto' ? parts.extentAt(place) : extent),
    confidence: known.confidence ?? confidence,
    sampling: GREEDY,
  };
}
