// What a prompt shows of other files, in VS Code: collected in pauses, never when a key is pressed.
import * as vscode from 'vscode';
import type { Snippet } from '../../protocol';
import { identifiersOf, passagesOf, type Passage } from '../../text/similarity';
import { chooseSnippets, type Source } from './choose';
import { Definitions } from './definitions';
import { readFile } from './files';
import { RecentFiles } from './recent';
import { StickySnippets } from './sticky';

/** What the collection depends on. */
export interface ContextParts {
  /** The room for all snippets together, in characters; 0 when none are wanted. */
  characters(): number;
  /** Called when a document has other snippets than before, with what it took to find them. */
  onChange(uri: string, snippets: readonly Snippet[], elapsedMs: number): void;
}

/** Lines before the cursor that say what is being written. */
const NEAR_LINES = 30;
/** Passages are as long as half the room allows, within these bounds, in lines. */
const [MIN_LINES, MAX_LINES] = [10, 60];
const LINE_CHARACTERS = 40;
/** When to ask a language server again that was late, in milliseconds. */
const LATE_MS = 3000;
/** How often. */
const MAX_LATE = 3;

/** Keeps the snippets of every document that is worked on. */
export class FileContext {
  private readonly parts: ContextParts;
  private readonly recent = new RecentFiles();
  private readonly definitions = new Definitions();
  private readonly passages = new Map<string, { key: string; passages: Passage[] }>();
  private readonly sticky: StickySnippets;
  private elapsedMs = 0;
  private late = 0;

  constructor(parts: ContextParts) {
    this.parts = parts;
    this.sticky = new StickySnippets({
      collect: (uri) => this.collect(uri),
      onChange: (uri) => parts.onChange(uri, this.sticky.of(uri), this.elapsedMs),
    });
  }

  /** The snippets for a document; always at once. */
  of(uri: string): readonly Snippet[] {
    return this.parts.characters() > 0 ? this.sticky.of(uri) : [];
  }

  /** Starts afresh, as after the setting or the model has changed. */
  reset(): void {
    this.sticky.clear();
    this.notice(vscode.window.activeTextEditor);
  }

  register(): vscode.Disposable {
    const { window, workspace } = vscode;
    this.notice(window.activeTextEditor);
    return vscode.Disposable.from(
      this.recent.register(),
      window.onDidChangeActiveTextEditor((editor) => this.notice(editor)),
      window.onDidChangeTextEditorSelection(({ textEditor }) => this.notice(textEditor)),
      workspace.onDidChangeTextDocument(({ contentChanges }) => {
        if (contentChanges.length > 0) this.sticky.typed();
      }),
      workspace.onDidSaveTextDocument(({ uri }) => this.sticky.outdate(uri.toString())),
      { dispose: () => this.sticky.clear() },
    );
  }

  private notice(editor: vscode.TextEditor | undefined): void {
    if (!editor || this.parts.characters() === 0) return;
    if (editor !== vscode.window.activeTextEditor) return;
    const uri = editor.document.uri.toString();
    this.sticky.moved(uri, editor.selection.active.line);
  }

  private async collect(uri: string): Promise<Snippet[] | undefined> {
    const begin = performance.now();
    const editor = vscode.window.activeTextEditor;
    if (editor?.document.uri.toString() !== uri) return undefined;
    const characters = this.parts.characters();
    const lines = Math.round(characters / 2 / LINE_CHARACTERS);
    const most = Math.min(MAX_LINES, Math.max(MIN_LINES, lines));
    const { document, selection } = editor;
    const first = Math.max(0, selection.active.line - NEAR_LINES);
    const nearby = new vscode.Range(new vscode.Position(first, 0), selection.active);
    const near = identifiersOf(document.getText(nearby));
    const { declarations, isLate } = await this.definitions.near(document, nearby, most);
    if (isLate && this.late++ < MAX_LATE) setTimeout(() => this.sticky.outdate(), LATE_MS).unref();
    if (!isLate) this.late = 0;
    const sources = await this.sources(document.uri, most);
    this.elapsedMs = performance.now() - begin;
    return chooseSnippets({ declarations, sources, near }, characters);
  }

  private async sources(uri: vscode.Uri, most: number): Promise<Source[]> {
    const sources: Source[] = [];
    for (const other of this.recent.except(uri)) {
      const file = await readFile(other);
      if (!file) continue;
      const key = `${file.stamp} ${most}`;
      const known = this.passages.get(file.path);
      const passages = known?.key === key ? known.passages : passagesOf(file.text, most);
      this.passages.set(file.path, { key, passages });
      sources.push({ path: file.path, passages });
    }
    for (const path of this.passages.keys())
      if (!sources.some((source) => source.path === path)) this.passages.delete(path);
    return sources;
  }
}
