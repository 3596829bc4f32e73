// What of a model's answer to put into the document. Pure text; knows no editor and no model.
// It writes no code: it cuts, and it says how much right of the cursor the insert replaces.
import { fitBetween } from './between';
import { cutSurplusClosers, fitLineEnd, NOTHING, type Trimmed } from './closers';
import { cutRepeatedLines } from './duplicates';
import { bestFit } from './fit';
import { adoptIndentation, dropDoubledIndent } from './indentation';
import { fitInsideLine } from './overlap';
import { cutRepetition } from './repetition';
import { cutOutOfScope } from './scope';
import { Surroundings, type TrimInput } from './surroundings';
import { unwrap } from './unwrap';

export type { Trimmed } from './closers';
export type { TrimInput } from './surroundings';

/** Cuts a completion so that it neither repeats nor unbalances the text around the cursor. */
export function trimCompletion(input: TrimInput): Trimmed {
  const [prefix, suffix, completion] = [input.prefix, input.suffix, input.completion].map((text) =>
    text.replaceAll('\r\n', '\n'),
  );
  if (completion.trim() === '') return NOTHING;
  const around = new Surroundings({ language: input.language, prefix, suffix });
  const { insert, replace } = fit(dropDoubledIndent(unwrap(completion, around), around), around);
  const isCrlf = /\r\n/.test(input.prefix + input.suffix);
  return { insert: isCrlf ? insert.replaceAll('\n', '\r\n') : insert, replace };
}

function fit(completion: string, around: Surroundings): Trimmed {
  const between = fitBetween(completion, around);
  if (between) return between;
  if (!around.atLineEnd) return fitInsideLine(completion, around);
  const indented = adoptIndentation(completion.trimEnd(), around);
  const fresh = cutRepeatedLines(cutRepetition(indented), around);
  const inScope = cutOutOfScope(fresh, around);
  const fitted = fitLineEnd(cutSurplusClosers(inScope, around), around);
  return keepGap(bestFit(inScope, fitted, around), completion, around);
}

/** Keeps the blanks between the insert and what follows on the line, as in `{ a }`. */
function keepGap(
  { insert, replace }: Trimmed,
  completion: string,
  { rest }: Surroundings,
): Trimmed {
  const isCut = insert !== '' && completion.startsWith(insert) && /^\S/.test(rest.slice(replace));
  const gap = isCut ? /^ *(?=\S|$)/.exec(completion.slice(insert.length))?.[0] : '';
  return { insert: insert + (gap ?? ''), replace };
}
