// A document to see the first suggestion in.
import { t } from '@vscode/l10n';
import * as vscode from 'vscode';

const content = () => `# ${t('The line below waits for its end: wait a moment, then press Tab.')}
def add(a, b):
    return a + b


def subtract(a, b):
    return `;

/** Opens the sample with the cursor where a suggestion is due, and asks for one. */
export async function openSample(): Promise<void> {
  const text = content();
  const document = await vscode.workspace.openTextDocument({ language: 'python', content: text });
  const editor = await vscode.window.showTextDocument(document);
  const end = document.positionAt(text.length);
  editor.selection = new vscode.Selection(end, end);
  await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
}
