// The suggester as VS Code's provider of ghost text.
import * as vscode from 'vscode';
import type { Settings } from './settings';
import type { Place, Suggester } from './suggester';

/** Documents that nobody writes code in. */
const SKIPPED_SCHEMES = new Set(['output', 'vscode-scm', 'comment', 'debug', 'walkThrough']);

/** Offers the suggester's text as one inline completion at the cursor. */
export class InlineProvider implements vscode.InlineCompletionItemProvider {
  private readonly suggester: Suggester;
  private readonly settings: () => Settings;

  constructor(suggester: Suggester, settings: () => Settings) {
    this.suggester = suggester;
    this.settings = settings;
  }

  async provideInlineCompletionItems(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<vscode.InlineCompletionItem[]> {
    if (SKIPPED_SCHEMES.has(document.uri.scheme) || token.isCancellationRequested) return [];
    // With the suggest widget open, ghost text must go on from the entry selected there.
    const selected = context.selectedCompletionInfo;
    const range = selected?.range ?? new vscode.Range(position, position);
    const place = placeAt(document, range, selected?.text ?? '');

    const cancel = new AbortController();
    const subscription = token.onCancellationRequested(() => cancel.abort());
    try {
      const isAutomatic = context.triggerKind === vscode.InlineCompletionTriggerKind.Automatic;
      const delayMs = isAutomatic ? this.settings().delayMs : 0;
      const suggestion = await this.suggester.suggest(place, delayMs, cancel.signal);
      if (!suggestion) return [];
      const text = (selected?.text ?? '') + suggestion.insert;
      const end = range.end.translate(0, suggestion.replace);
      return [new vscode.InlineCompletionItem(text, new vscode.Range(range.start, end))];
    } finally {
      subscription.dispose();
    }
  }
}

/** The document as it would be with `text` in place of the range, and the cursor behind it. */
function placeAt(document: vscode.TextDocument, range: vscode.Range, text: string): Place {
  const end = document.lineAt(document.lineCount - 1).range.end;
  const read = (from: vscode.Position, to: vscode.Position) =>
    document.getText(new vscode.Range(from, to)).replaceAll('\r\n', '\n');
  return {
    uri: document.uri.toString(),
    path: vscode.workspace.asRelativePath(document.uri, false).replaceAll('\\', '/'),
    language: document.languageId,
    before: read(new vscode.Position(0, 0), range.start) + text,
    after: read(range.end, end),
  };
}
