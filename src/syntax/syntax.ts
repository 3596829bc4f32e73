// Questions about a cursor, answered from the document's syntax tree: by the grammar where there is
// one and the parse is done, by the text of the line otherwise. Never makes anyone wait.
import type { Node } from 'web-tree-sitter';
import type { Cursor } from './cursor';
import { ParsedDocument } from './document';
import { extentOf } from './extent';
import { Grammars } from './grammars';
import { scopeOf, type Scope } from './scope';

/** Documents whose trees are kept. */
const MAX_DOCUMENTS = 8;
/** A longer document is not parsed. */
const MAX_CHARACTERS = 500_000;

/** The syntax of the documents that are being worked on. */
export class Syntax {
  private readonly grammars: Grammars;
  /** By address and language; the one used last is at the end. */
  private readonly documents = new Map<string, ParsedDocument>();

  /** The folder holds the runtime and the grammars as `.wasm` files. */
  constructor(dir: string) {
    this.grammars = new Grammars(dir);
  }

  /** Resolves when the language can be parsed. Nobody has to wait for it. */
  load(language: string): Promise<void> {
    return this.grammars.load(language);
  }

  /** What the cursor stands in. */
  scope(cursor: Cursor): Scope {
    return scopeOf(cursor, this.rootOf(cursor));
  }

  /** How far a completion at the cursor should go. */
  extent(cursor: Cursor): 'line' | 'block' {
    return extentOf(cursor, this.rootOf(cursor));
  }

  dispose(): void {
    for (const document of this.documents.values()) document.dispose();
    this.documents.clear();
  }

  private rootOf({ uri, language, before, after }: Cursor): Node | undefined {
    if (before.length + after.length > MAX_CHARACTERS) return undefined;
    return this.document(uri, language)?.treeOf(before + after)?.rootNode;
  }

  private document(uri: string, language: string): ParsedDocument | undefined {
    const key = `${language} ${uri}`;
    let document = this.documents.get(key);
    if (!document) {
      const parser = this.grammars.parser(language);
      document = parser && new ParsedDocument(parser);
    }
    if (!document) return undefined;
    this.documents.delete(key);
    this.documents.set(key, document);
    if (this.documents.size > MAX_DOCUMENTS) {
      const [oldest, dropped] = this.documents.entries().next().value!;
      dropped.dispose();
      this.documents.delete(oldest);
    }
    return document;
  }
}
