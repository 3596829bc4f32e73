// A document to see the first suggestion in.
import * as vscode from 'vscode';

const CONTENT = `# The line below waits for its end: wait a moment, then press Tab.
def add(a, b):
    return a + b


def subtract(a, b):
    return `;

/** Opens the sample with the cursor where a suggestion is due, and asks for one. */
export async function openSample(): Promise<void> {
  const document = await vscode.workspace.openTextDocument({
    language: 'python',
    content: CONTENT,
  });
  const editor = await vscode.window.showTextDocument(document);
  const end = document.positionAt(CONTENT.length);
  editor.selection = new vscode.Selection(end, end);
  await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
}
