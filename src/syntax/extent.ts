// Whether a completion may have several lines: where a body is written, and nowhere else.
import type { Node } from 'web-tree-sitter';
import { isClosers } from '../text/window';
import { lineOf, type Cursor } from './cursor';
import { nodeBefore, scopeOf } from './scope';

/** Braces that hold a list of names or one expression, and no body. */
const NO_BODY =
  /^(?:named_imports|export_clause|object_pattern|struct_pattern|use_list|jsx_expression|template_substitution|interpolation|expansion)$/;

/** What a colon may end that has a body. */
const HAS_BODY =
  /^(?:\w+_definition|(?:if|for|while|with|try|match|case|switch|expression_case|default_case)_?\w*|el(?:se|if)_clause|except\w*_clause|finally_clause|default)$/;

const OPENS_BY_COLON =
  /^\s*(?:async|class|def|if|elif|else|for|while|with|try|except|finally|match|case|default)\b/;
const OPENS_BY_WORD = /(?:^|[\s;])(?:then|do|else|begin|ensure|\{\s*\|[^|]*\||do\s*\|[^|]*\|)$/;
const RUBY_OPENS = /^\s*(?:def|class|module|if|unless|while|until|case|begin)\b[^;]*$/;

/** One line, or as many as belong together. */
export function extentOf(cursor: Cursor, root: Node | undefined): 'line' | 'block' {
  const rest = /^[^\n]*/.exec(cursor.after)![0];
  if (!isClosers(rest) || !['code', 'prose'].includes(scopeOf(cursor, root))) return 'line';
  const line = lineOf(cursor.before).trimEnd();
  return line === '' || opensBody(line, cursor, root) ? 'block' : 'line';
}

/** The line ends with what opens a body: of a function, a branch, a type, an object. */
function opensBody(line: string, { before, language }: Cursor, root: Node | undefined): boolean {
  if (language === 'ruby' && RUBY_OPENS.test(line)) return true;
  if (OPENS_BY_WORD.test(line)) return true;
  const last = line.at(-1);
  if (last !== '{' && last !== ':') return false;
  const parent = root && nodeBefore(root, before.trimEnd().length)?.parent;
  if (last === '{') return !parent || !NO_BODY.test(parent.type);
  return parent && parent.type !== 'ERROR' ? HAS_BODY.test(parent.type) : OPENS_BY_COLON.test(line);
}
