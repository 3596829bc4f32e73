// The lines of a declaration. Pure text; knows no editor and no model.
import { indentWidth } from './indentation';

/** A line at the declaration's own indentation that still belongs to it. */
const GOES_ON = /^\s*(?:[)\]}]|\{\s*$|end\b)/;
const OPENS = /[({[:]\s*$/;
const COMMENT = /^\s*(?:\/\/|\/?\*|#(?!\s*(?:include|define|if|endif))|--|@)/;

/**
 * The declaration that begins in a line, by indentation, with the comments over it: at most `most`
 * lines. `line` from 0.
 */
export function declarationAt(text: string, line: number, most: number): string {
  const lines = text.split(/\r?\n/);
  if (line >= lines.length) return '';
  let begin = line;
  while (begin > 0 && line - begin < most / 3 && COMMENT.test(lines[begin - 1])) begin--;
  const end = Math.min(declarationEnd(lines, line), begin + most);
  return lines.slice(begin, end).join('\n').trimEnd();
}

function declarationEnd(lines: readonly string[], begin: number): number {
  const base = indentWidth(lines[begin]);
  let end = begin + 1;
  for (; end < lines.length; end++) {
    const line = lines[end];
    if (line.trim() === '' || indentWidth(line) > base) continue;
    if (!GOES_ON.test(line) || indentWidth(line) < base) break;
    if (!OPENS.test(line)) return end + 1;
  }
  return end;
}
