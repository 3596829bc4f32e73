// What a cursor stands in: code, a comment, a string, or running text between tags.
import type { Node } from 'web-tree-sitter';
import { openAtEnd } from '../text/brackets';
import { lineOf, type Cursor } from './cursor';

/** What a cursor stands in. Documentation strings are comments; code inside a string is code. */
export type Scope = 'code' | 'comments' | 'strings' | 'prose';

/** Types of the grammars' nodes, alike in all of them. */
const COMMENT = /comment/;
const STRING =
  /^(?!system_lib)(?:\w*string\w*|char(?:acter)?_literal|rune_literal|heredoc_body|regex|(?:quoted_)?attribute_value)$/;
const EMBEDDED = /^(?:interpolation|template_substitution|(?:command|process)_substitution)$/;
const PROSE = /^(?:jsx_)?text$/;

/** The scope of a cursor, by the document's tree or else by its line. */
export function scopeOf(cursor: Cursor, root: Node | undefined): Scope {
  if (!root) return scopeOfLine(cursor);
  const index = cursor.before.length;
  if (isBehindProse(cursor, root)) return 'prose';
  let isDoubtful = false;
  for (let node = nodeBefore(root, index); node; node = node.parent) {
    isDoubtful ||= node.hasError;
    if (node.startIndex >= index) continue;
    const isInside = index < node.endIndex;
    if (EMBEDDED.test(node.type) && isInside) return 'code';
    if (COMMENT.test(node.type) && (isInside || !/(?:\*\/|-->|=end)$/.test(cursor.before)))
      return 'comments';
    if (STRING.test(node.type) && isInside) return isDocumentation(node) ? 'comments' : 'strings';
  }
  // A string that is being written has no end yet, and the grammar makes something else of it.
  return isDoubtful ? scopeOfLine(cursor) : 'code';
}

/** The smallest node that holds the character before an index. */
export function nodeBefore(root: Node, index: number): Node | null {
  return index > 0 ? root.descendantForIndex(index - 1, index) : root;
}

/** The cursor's line ends, blanks aside, with running text. */
function isBehindProse({ before }: Cursor, root: Node): boolean {
  const written = lineOf(before).trim() !== '';
  return written && PROSE.test(nodeBefore(root, before.trimEnd().length)?.type ?? '');
}

/** A string that is a statement of its own, as Python's documentation is. */
function isDocumentation(node: Node): boolean {
  const string = node.type === 'string_content' ? node.parent : node;
  return string?.type === 'string' && string.parent?.type === 'expression_statement';
}

function scopeOfLine({ before, language }: Cursor): Scope {
  const line = lineOf(before);
  if (before.lastIndexOf('/*') > before.lastIndexOf('*/') && /^\s*\/?\*/.test(line))
    return 'comments';
  const open = openAtEnd(line, language);
  return open === undefined ? 'code' : open === 'comment' ? 'comments' : 'strings';
}
