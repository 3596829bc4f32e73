// What of a model's answer to put into the document. Pure text; knows no editor and no model.
// It writes no code: it cuts, and it says how much right of the cursor the insert replaces.
import { cutSurplusClosers, fitLineEnd, NOTHING, type Trimmed } from './closers';
import { cutRepeatedLines } from './duplicates';
import { adoptIndentation, dropDoubledIndent } from './indentation';
import { fitInsideLine } from './overlap';
import { cutRepetition } from './repetition';
import { cutOutOfScope } from './scope';
import { Surroundings, type TrimInput } from './surroundings';

export type { Trimmed } from './closers';
export type { TrimInput } from './surroundings';

/** Cuts a completion so that it neither repeats nor unbalances the text around the cursor. */
export function trimCompletion(input: TrimInput): Trimmed {
  const [prefix, suffix, completion] = [input.prefix, input.suffix, input.completion].map((text) =>
    text.replaceAll('\r\n', '\n'),
  );
  if (completion.trim() === '') return NOTHING;
  const around = new Surroundings({ language: input.language, prefix, suffix });
  const { insert, replace } = fit(dropDoubledIndent(completion, around), around);
  const isCrlf = /\r\n/.test(input.prefix + input.suffix);
  return { insert: isCrlf ? insert.replaceAll('\n', '\r\n') : insert, replace };
}

function fit(completion: string, around: Surroundings): Trimmed {
  if (!around.atLineEnd) return fitInsideLine(completion, around);
  const indented = adoptIndentation(completion.trimEnd(), around);
  const fresh = cutRepeatedLines(cutRepetition(indented), around);
  return fitLineEnd(cutSurplusClosers(cutOutOfScope(fresh, around), around), around);
}
