// What a model writes around its answer, as models that were made to chat do: a fence of Markdown,
// and the cursor's line once more from its beginning.
import { balance, openAtEnd } from './brackets';
import { isBesideCode, isMarkdown } from './lines';
import { hasOpenLongString, insideLongString } from './scope';
import type { Surroundings } from './surroundings';

const FENCE = /^\s*```[\w+#.-]*[ \t]*(?:\n|$)/;
const FENCE_END = /(?:^|\n)[ \t]*```/;

/** The beginning of a line that no line begins with twice: a word and what it is followed by. */
const TELLING = [
  // Comments and directives.
  /^(?:\/\/+|#+|--|\*|;+)\s/,
  /^#\s*(?:define|include)\s/,
  // Statements and declarations.
  /^(?:async|await|case|class|const|def|delete|echo|elif|enum|export|fn|for|from|func|function|if|impl|import|insert|interface|let|local|package|private|protected|pub|public|raise|return|select|static|struct|switch|throw|type|update|use|val|var|while|yield)\s/i,
  // Assignments and keys.
  /^[\w$@"'.[\]<>*&:, -]*[\w$"'\]>]\s*(?:[-+*/|&]|:)?=\s/,
  /^(?:- )?["']?[\w$-]+["']?:\s/,
  // Members of the object itself.
  /^(?:\$?this|self)(?:\.|->)/,
];

/** The completion without its fence, and without the part of the cursor's line that it repeats. */
export function unwrap(text: string, around: Surroundings): string {
  return dropRepeatedStart(dropFence(text, around), around);
}

function dropFence(text: string, around: Surroundings): string {
  const { language, linePrefix } = around;
  if (!text.includes('```') || isMarkdown(language) || insideLongString(around)) return text;
  if (openAtEnd(linePrefix, language) !== undefined || isBesideCode(linePrefix, language))
    return text;
  const begin = FENCE.exec(text)?.[0].length ?? 0;
  const inside = text.slice(begin);
  const end = FENCE_END.exec(inside);
  if (!end || hasOpenLongString(inside.slice(0, end.index))) return inside;
  return inside.slice(0, end.index);
}

function dropRepeatedStart(text: string, around: Surroundings): string {
  const { linePrefix } = around;
  const start = linePrefix.trimStart();
  const own = text.startsWith(linePrefix) ? linePrefix : start;
  if (start === '' || !text.startsWith(own)) return text;
  const isTold = TELLING.some((telling) => telling.test(start)) || isCallAgain(text, around);
  return isTold ? text.slice(own.length) : text;
}

/** The line begins a call, and so does the text, which ends no more calls than it begins. */
function isCallAgain(text: string, { language, linePrefix, rest }: Surroundings): boolean {
  if (!/\w\($/.test(linePrefix) || rest.trim() !== '') return false;
  const { open, closers } = balance(text, { language });
  return open.length === 0 && closers.length === 0;
}
