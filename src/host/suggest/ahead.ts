// When the prompt of a document is read before anything is asked, in VS Code.
import * as vscode from 'vscode';

/** How long nothing must have happened, in milliseconds. */
const CALM_MS = 400;

/** Calls `prepare` for the active editor some time after the focus or the cursor has moved. */
export class ReadingAhead {
  private readonly prepare: (editor: vscode.TextEditor) => void;
  private timer: NodeJS.Timeout | undefined;
  private last: { document: vscode.TextDocument; line: number } | undefined;

  constructor(prepare: (editor: vscode.TextEditor) => void) {
    this.prepare = prepare;
  }

  register(): vscode.Disposable {
    const { window } = vscode;
    return vscode.Disposable.from(
      window.onDidChangeActiveTextEditor(() => this.soon()),
      window.onDidChangeTextEditorSelection(({ textEditor }) => this.moved(textEditor)),
      { dispose: () => clearTimeout(this.timer) },
    );
  }

  /** Something that the prompt depends on has changed. */
  soon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const editor = vscode.window.activeTextEditor;
      if (editor) this.prepare(editor);
    }, CALM_MS).unref();
  }

  /** While someone types, suggestions keep the prompt read; only a jump leads elsewhere. */
  private moved({ document, selection }: vscode.TextEditor): void {
    const { line } = selection.active;
    const { last } = this;
    this.last = { document, line };
    if (last?.document !== document || Math.abs(last.line - line) > 1) this.soon();
  }
}
