// A document's syntax tree, kept while the document changes. A parse that takes long goes on in
// slices when nobody waits, and until it has ended there is no tree.
import { Edit, type Parser, type Point, type Tree } from 'web-tree-sitter';

/** Longest that a parse may block, in milliseconds. After a keystroke it takes less than one. */
const SLICE_MS = 3;

/** One document, parsed anew where it has changed. */
export class ParsedDocument {
  private readonly parser: Parser;
  private text = '';
  /** Of the text, or of an earlier one and told of all edits since while `isPending`. */
  private tree: Tree | null = null;
  private isPending = false;
  private next: NodeJS.Immediate | undefined;

  /** The parser is this document's own: a parse that was interrupted stays in it. */
  constructor(parser: Parser) {
    this.parser = parser;
  }

  /** The tree of this text, valid until the next call; null if it takes longer than a moment. */
  treeOf(text: string): Tree | null {
    if (text !== this.text || !this.tree) this.begin(text);
    if (this.isPending) this.goOn();
    return this.isPending ? null : this.tree;
  }

  dispose(): void {
    clearImmediate(this.next);
    this.tree?.delete();
    this.parser.delete();
  }

  private begin(text: string): void {
    if (text !== this.text || !this.isPending) this.parser.reset();
    this.tree?.edit(difference(this.text, text));
    this.text = text;
    this.isPending = true;
  }

  private goOn(): void {
    clearImmediate(this.next);
    const end = performance.now() + SLICE_MS;
    const progressCallback = () => performance.now() > end;
    const tree = this.parser.parse(this.text, this.tree, { progressCallback });
    if (tree) {
      this.tree?.delete();
      this.tree = tree;
      this.isPending = false;
    } else {
      this.next = setImmediate(() => this.goOn()).unref();
    }
  }
}

/** The one stretch in which two texts differ. */
export function difference(before: string, after: string): Edit {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  let same = 0;
  while (
    same < shorter - start &&
    before.charCodeAt(before.length - 1 - same) === after.charCodeAt(after.length - 1 - same)
  )
    same++;
  const [oldEndIndex, newEndIndex] = [before.length - same, after.length - same];
  const startPosition = pointAt(before, start, 0, { row: 0, column: 0 });
  return new Edit({
    startIndex: start,
    oldEndIndex,
    newEndIndex,
    startPosition,
    oldEndPosition: pointAt(before, oldEndIndex, start, startPosition),
    newEndPosition: pointAt(after, newEndIndex, start, startPosition),
  });
}

/** Row and column of an index, counted from a place before it. */
function pointAt(text: string, index: number, from: number, { row, column }: Point): Point {
  for (let line = text.indexOf('\n', from); line >= 0 && line < index;) {
    row++;
    column = 0;
    from = line + 1;
    line = text.indexOf('\n', from);
  }
  return { row, column: column + index - from };
}
