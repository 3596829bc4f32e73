// The suggester as VS Code's provider of ghost text.
import * as vscode from 'vscode';
import { editKind, typedLength, type EditKind } from './edits';
import { memoryOnly, refusal, type Situation } from './gate';
import { Kept } from './kept';
import { nothing, type Outcome } from './outcome';
import type { Place } from './place';
import type { Settings } from '../settings';
import type { Statistics } from './statistics';
import type { Syntax } from '../../syntax/syntax';
import type { Suggester } from './suggester';

/** What the provider works with. */
export interface InlineParts {
  suggester: Suggester;
  syntax: Syntax;
  statistics: Statistics;
  settings(): Settings;
  isReady(): boolean;
  isPaused(): boolean;
  isOnBattery(): boolean;
  /** Generated code has the worker, or is shown in this document. */
  isGenerating(document: vscode.TextDocument): boolean;
  /** Called when a question comes, and when it was answered. */
  onChange(): void;
}

/** Runs after a suggestion was accepted; of use to nobody else, so not in the manifest. */
const ACCEPTED = 'lckv.accepted';

/** Offers the suggester's text as one inline completion at the cursor. */
export class InlineProvider implements vscode.InlineCompletionItemProvider {
  private readonly parts: InlineParts;
  private readonly kept: Kept;
  private readonly lastEdits = new WeakMap<vscode.TextDocument, EditKind>();

  constructor(parts: InlineParts) {
    this.parts = parts;
    this.kept = new Kept((kept, of) => parts.statistics.keep(kept, of));
  }

  /** Registers the provider and what it listens to. */
  register(): vscode.Disposable {
    const prepare = (editor?: vscode.TextEditor) =>
      editor && void this.parts.syntax.load(editor.document.languageId).catch(() => {});
    vscode.window.visibleTextEditors.forEach(prepare);
    return vscode.Disposable.from(
      vscode.window.onDidChangeActiveTextEditor(prepare),
      vscode.languages.registerInlineCompletionItemProvider({ pattern: '**' }, this),
      vscode.workspace.onDidChangeTextDocument((event) => this.noteEdit(event)),
      vscode.commands.registerCommand(ACCEPTED, (text: string) => this.accepted(text)),
    );
  }

  /** Has the model read the text before the cursor, where it may suggest by itself. */
  prepare({ document, selection: { active } }: vscode.TextEditor): void {
    if (refusal(this.situation(document, true), this.parts.settings())) return;
    void this.parts.suggester.prepare(placeAt(document, new vscode.Range(active, active), ''));
  }

  async provideInlineCompletionItems(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<vscode.InlineCompletionItem[]> {
    // With the suggest widget open, ghost text must go on from the entry selected there.
    const selected = context.selectedCompletionInfo;
    const range = selected?.range ?? new vscode.Range(position, position);
    const begin = performance.now();
    const outcome = await this.outcome(document, range, selected?.text ?? '', context, token);
    this.parts.statistics.add({ outcome, at: Date.now(), elapsedMs: performance.now() - begin });
    this.parts.onChange();
    if (outcome.kind === 'nothing') return [];
    return [outcome.trimmed, ...outcome.others].map(({ insert, replace }) => {
      const text = (selected?.text ?? '') + insert;
      const replaced = new vscode.Range(range.start, range.end.translate(0, replace));
      const title = 'Count an accepted suggestion';
      const command = { command: ACCEPTED, title, arguments: [text] };
      return new vscode.InlineCompletionItem(text, replaced, command);
    });
  }

  private accepted(insert: string): void {
    this.parts.statistics.accept();
    void vscode.commands.executeCommand('setContext', 'lckv.hasAccepted', true);
    this.parts.onChange();
    const editor = vscode.window.activeTextEditor;
    if (!editor) return;
    const { document, selection } = editor;
    const isCrlf = document.eol === vscode.EndOfLine.CRLF;
    const text = isCrlf ? insert.replace(/\r?\n/g, '\r\n') : insert;
    const end = document.offsetAt(selection.active);
    this.kept.accepted(document.uri.toString(), end - text.length, text);
  }

  private async outcome(
    document: vscode.TextDocument,
    range: vscode.Range,
    selected: string,
    { triggerKind }: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<Outcome> {
    if (token.isCancellationRequested) return nothing({ kind: 'superseded' });
    const isAutomatic = triggerKind === vscode.InlineCompletionTriggerKind.Automatic;
    const situation = this.situation(document, isAutomatic);
    const reason = refusal(situation, this.parts.settings());
    if (reason) return nothing(reason);

    const place = placeAt(document, range, selected);
    const scope = this.parts.syntax.scope(place);
    if (isAutomatic && this.parts.settings().scopes[scope] === false)
      return nothing({ kind: 'scope', scope });

    const cancel = new AbortController();
    const subscription = token.onCancellationRequested(() => cancel.abort());
    const onlyMemory = memoryOnly(situation);
    try {
      const answer = this.parts.suggester.suggest(place, {
        isAutomatic,
        onlyMemory,
        cancel: cancel.signal,
      });
      this.parts.onChange();
      return await answer;
    } finally {
      subscription.dispose();
    }
  }

  private situation(document: vscode.TextDocument, isAutomatic: boolean): Situation {
    const { scheme } = document.uri;
    return {
      isAutomatic,
      language: document.languageId,
      scheme,
      isReadOnly: vscode.workspace.fs.isWritableFileSystem(scheme) === false,
      isDiff: isCompared(document.uri),
      characters: document.offsetAt(endOf(document)),
      lastEdit: this.lastEdits.get(document) ?? 'written',
      isPaused: this.parts.isPaused(),
      isOnBattery: this.parts.isOnBattery(),
      isGenerating: this.parts.isGenerating(document),
      isReady: this.parts.isReady(),
    };
  }

  private noteEdit(event: vscode.TextDocumentChangeEvent): void {
    const { document, contentChanges, reason } = event;
    if (contentChanges.length === 0) return;
    this.lastEdits.set(document, editKind(contentChanges, reason !== undefined));
    this.kept.changed(document.uri.toString(), contentChanges);
    const { suggester } = this.parts;
    if (contentChanges.length > 1 || suggester.generatingFor !== document.uri.toString()) return;
    const [change] = contentChanges;
    const cursor = document.positionAt(change.rangeOffset + typedLength(change));
    suggester.typed(placeAt(document, new vscode.Range(cursor, cursor), ''));
  }
}

/** The document as it would be with `text` in place of the range, and the cursor behind it. */
function placeAt(document: vscode.TextDocument, range: vscode.Range, text: string): Place {
  const read = (from: vscode.Position, to: vscode.Position) =>
    document.getText(new vscode.Range(from, to)).replaceAll('\r\n', '\n');
  return {
    uri: document.uri.toString(),
    path: vscode.workspace.asRelativePath(document.uri, false).replaceAll('\\', '/'),
    language: document.languageId,
    before: read(new vscode.Position(0, 0), range.start) + text,
    after: read(range.end, endOf(document)),
  };
}

function endOf(document: vscode.TextDocument): vscode.Position {
  return document.lineAt(document.lineCount - 1).range.end;
}

/** The document is shown as one side of a comparison. */
function isCompared(uri: vscode.Uri): boolean {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  if (!(input instanceof vscode.TabInputTextDiff)) return false;
  return [input.original, input.modified].some((side) => side.toString() === uri.toString());
}
