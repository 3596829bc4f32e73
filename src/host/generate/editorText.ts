// What an editor's document says around its selection.
import * as vscode from 'vscode';

/** The document before and after a selection, with `\n` line ends. */
export function textAround(document: vscode.TextDocument, { start, end }: vscode.Selection) {
  const last = document.lineAt(document.lineCount - 1).range.end;
  const read = (from: vscode.Position, to: vscode.Position) =>
    document.getText(new vscode.Range(from, to)).replaceAll('\r\n', '\n');
  return { before: read(new vscode.Position(0, 0), start), after: read(end, last) };
}

/** One step of indentation in this editor. */
export function indentOf({ options }: vscode.TextEditor): string {
  const size = typeof options.indentSize === 'number' ? options.indentSize : 4;
  return options.insertSpaces === false ? '\t' : ' '.repeat(size);
}
