// The files that the user has open or had open lately, in VS Code.
import * as vscode from 'vscode';

/** Files remembered after they were closed, and looked into at all. */
const MAX_FILES = 20;

/** Keeps the order in which files were looked at or edited. */
export class RecentFiles {
  /** The last one is at the end. */
  private readonly seen = new Map<string, vscode.Uri>();

  register(): vscode.Disposable {
    const { window, workspace } = vscode;
    for (const { document } of window.visibleTextEditors) this.touch(document.uri);
    return vscode.Disposable.from(
      window.onDidChangeActiveTextEditor((editor) => editor && this.touch(editor.document.uri)),
      workspace.onDidChangeTextDocument(({ document }) => {
        if (this.seen.has(document.uri.toString())) this.touch(document.uri);
      }),
    );
  }

  /** All files in question but one, the one used last first; then those in other tabs. */
  except(uri: vscode.Uri): vscode.Uri[] {
    const found = new Map([...this.seen].reverse());
    for (const { input } of vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs))
      if (input instanceof vscode.TabInputText && !found.has(input.uri.toString()))
        found.set(input.uri.toString(), input.uri);
    found.delete(uri.toString());
    return [...found.values()].slice(0, MAX_FILES);
  }

  private touch(uri: vscode.Uri): void {
    this.seen.delete(uri.toString());
    this.seen.set(uri.toString(), uri);
    if (this.seen.size > MAX_FILES + 1) this.seen.delete(this.seen.keys().next().value!);
  }
}
