// Generated code that is not in the document yet: shown as ghost text where it will go, until it is
// accepted in one edit or forgotten. The document stays as it is until then.
import * as vscode from 'vscode';
import { moved, type Edit, type Stretch } from './anchor';

/** What becomes of a preview without a command. */
export interface PreviewEvents {
  /** The document was edited where the code was to go, or was closed. */
  onLost(): void;
  /** All of it was inserted by VS Code's own commands. */
  onInserted(): void;
}

/** Milliseconds between two updates of the ghost text. */
const UPDATE_MS = 300;

const EVERYWHERE = { pattern: '**' };

const REPLACED = vscode.window.createTextEditorDecorationType({
  backgroundColor: new vscode.ThemeColor('diffEditor.removedTextBackground'),
  textDecoration: 'line-through',
});

/** The preview of one generation in one document. */
export class Preview implements vscode.InlineCompletionItemProvider, vscode.CodeLensProvider {
  readonly document: vscode.TextDocument;
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.changed.event;
  private readonly subscriptions: vscode.Disposable;
  private readonly events: PreviewEvents;
  private readonly isReplacing: boolean;
  private stretch: Stretch;
  private full = '';
  /** How much of it was inserted already, by word or by typing it. */
  private inserted = 0;
  private lenses: readonly vscode.Command[] = [];
  private provider: vscode.Disposable | undefined;
  /** What VS Code was last told to show. */
  private asked = '';
  private timer: NodeJS.Timeout | undefined;
  private isInserting = false;

  constructor(document: vscode.TextDocument, stretch: Stretch, events: PreviewEvents) {
    this.document = document;
    this.stretch = stretch;
    this.events = events;
    this.isReplacing = stretch.start < stretch.end;
    this.subscriptions = vscode.Disposable.from(
      this.changed,
      vscode.languages.registerCodeLensProvider(EVERYWHERE, this),
      vscode.workspace.onDidChangeTextDocument((event) => {
        if (event.document === document && !this.isInserting) this.follow(event.contentChanges);
      }),
      vscode.workspace.onDidCloseTextDocument((closed) => {
        if (closed === document) events.onLost();
      }),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
        if (textEditor.document === document) this.redraw();
      }),
      vscode.window.onDidChangeActiveTextEditor(() => this.redraw()),
    );
    this.decorate();
  }

  /** What is left to insert. */
  get text(): string {
    return this.full.slice(this.inserted);
  }

  /** Some of it was inserted already, so that it is part of the document's undo. */
  get isBegun(): boolean {
    return this.inserted > 0;
  }

  /** The place, with `behind` more characters to be replaced. */
  range(behind = 0): vscode.Range {
    const { start, end } = this.stretch;
    return new vscode.Range(
      this.document.positionAt(start),
      this.document.positionAt(end + behind),
    );
  }

  /** Shows the code as it is now, and the actions above it. */
  show(text: string, lenses: readonly vscode.Command[]): void {
    const isSame = text.startsWith(this.full.slice(0, this.inserted));
    this.full = text;
    if (!isSame) return this.events.onLost();
    if (lenses !== this.lenses) {
      this.lenses = lenses;
      this.changed.fire();
    }
    this.redraw();
  }

  /** Replaces the place by `text` as one step for undo; false when VS Code refused. */
  async insert(text: string, behind: number): Promise<boolean> {
    const editor = await vscode.window.showTextDocument(this.document, { preview: false });
    this.isInserting = true;
    try {
      return await editor.edit((edit) => edit.replace(this.range(behind), text));
    } finally {
      this.isInserting = false;
    }
  }

  provideInlineCompletionItems(
    document: vscode.TextDocument,
    position: vscode.Position,
  ): vscode.InlineCompletionItem[] {
    const { end } = this.range();
    const isBlank = this.text.trim() === '';
    if (document !== this.document || isBlank || !position.isEqual(end)) return [];
    return [new vscode.InlineCompletionItem(this.ghost, new vscode.Range(end, end))];
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    if (document !== this.document) return [];
    const { start } = this.range();
    return this.lenses.map(
      (command) => new vscode.CodeLens(new vscode.Range(start, start), command),
    );
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.subscriptions.dispose();
    this.provider?.dispose();
    this.decorate([]);
    void vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
  }

  /** What is drawn at the place's end: below what it replaces. */
  private get ghost(): string {
    return this.isReplacing ? `\n${this.text}` : this.text;
  }

  private follow(edits: readonly Edit[]): void {
    for (const edit of edits) {
      if (this.takesOver(edit)) continue;
      const stretch = moved(this.stretch, edit);
      if (!stretch) return this.events.onLost();
      this.stretch = stretch;
    }
    this.redraw();
  }

  /** The edit inserts the beginning of the code: the rest is still to come. */
  private takesOver({ rangeOffset, rangeLength, text }: Edit): boolean {
    const { start, end } = this.stretch;
    const isHere = rangeLength === 0 && rangeOffset === start && start === end;
    const plain = text.replaceAll('\r\n', '\n');
    if (!isHere || plain === '' || !this.text.startsWith(plain)) return false;
    this.inserted += plain.length;
    this.stretch = { start: start + text.length, end: start + text.length };
    if (this.text === '') this.events.onInserted();
    return true;
  }

  /** Draws again soon, but not too often. */
  private redraw(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.decorate();
      const editor = vscode.window.activeTextEditor;
      const isHere = editor?.document === this.document;
      if (isHere && editor.selection.isEmpty && editor.selection.active.isEqual(this.range().end))
        this.ask();
    }, UPDATE_MS);
  }

  /**
   * Has VS Code ask for the ghost text. It keeps what it shows until that is hidden, and asks nobody
   * twice about a place, but somebody new.
   */
  private ask(): void {
    if (this.asked !== this.text) {
      this.asked = this.text;
      void vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
      this.provider?.dispose();
      this.provider = vscode.languages.registerInlineCompletionItemProvider(EVERYWHERE, this);
    }
    void vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
  }

  private decorate(ranges = this.isReplacing ? [this.range()] : []): void {
    for (const editor of vscode.window.visibleTextEditors)
      if (editor.document === this.document) editor.setDecorations(REPLACED, ranges);
  }
}
