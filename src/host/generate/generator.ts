// The commands that write more than a suggestion: code for an instruction, or the rest of a block.
// The worker writes, a preview shows, and nothing is in the document before it is accepted.
import * as vscode from 'vscode';
import { GREEDY, type CompletionRequest, type ModelInfo, type Snippet } from '../../protocol';
import { trimCompletion, type Trimmed } from '../../text/trim';
import { completionWindow } from '../../text/window';
import { accepting, cancelling } from './actions';
import { draft, isAnswer, type Draft } from './draft';
import { indentOf, textAround } from './editorText';
import { askInstruction } from './instruction';
import { Preview } from './preview';

/** What the commands work with. */
export interface GeneratorParts {
  /** Resolves with undefined when it was cancelled or the worker ended. */
  complete(
    request: CompletionRequest,
    signal: AbortSignal,
    onText: (piece: string) => void,
  ): Promise<{ text: string } | undefined>;
  /** The model in use; undefined when none is ready. */
  model(): ModelInfo | undefined;
  /** Most tokens of one generation. */
  maxTokens(): number;
  /** What of other files the model sees, the same as for a suggestion. */
  snippets(uri: string): readonly Snippet[];
  /** Called before a generation takes the worker, so that no suggestion is in its way. */
  onStart(): void;
  log(message: string): void;
}

/** What a key binding may give to the command. */
export interface GenerateArguments {
  instruction?: string;
}

/** Where a generation is. */
export type Phase = 'generating' | 'ready';

interface Running {
  /** What was asked for; null to go on with the code at the cursor. */
  instruction: string | null;
  preview: Preview;
  draft: Draft;
  /** Selections before the cursor was put where the code will go. */
  selection: vscode.Selection;
  stop: AbortController;
  phase: Phase;
  trimmed: Trimmed;
}

const NOTHING: Trimmed = { insert: '', replace: 0 };

/** One generation at a time, in one document. */
export class Generator implements vscode.Disposable {
  private readonly parts: GeneratorParts;
  private running: Running | undefined;
  private readonly subscription: vscode.Disposable;

  constructor(parts: GeneratorParts) {
    this.parts = parts;
    this.subscription = vscode.window.onDidChangeActiveTextEditor(() => this.tellContext());
  }

  get phase(): Phase | undefined {
    return this.running?.phase;
  }

  /** The code so far. */
  get text(): string | undefined {
    return this.running?.preview.text;
  }

  /** No suggestion is to be made here: the worker is taken, or the place for ghost text is. */
  occupies(document: vscode.TextDocument): boolean {
    const { running } = this;
    return running?.phase === 'generating' || running?.preview.document === document;
  }

  /** Asks for an instruction, unless it is given, and generates code for it. */
  async generate(given: GenerateArguments = {}): Promise<void> {
    const model = this.parts.model();
    const instruction = given.instruction ?? (model && (await askInstruction(model)));
    if (instruction?.trim()) await this.run(instruction);
  }

  /** Generates what follows the cursor, to the end of its block. */
  completeBlock(): Promise<void> {
    return this.run(null);
  }

  /** Puts the code into the document as one step for undo. */
  async accept(withComment = false): Promise<void> {
    const { running } = this;
    if (running?.phase !== 'ready') return;
    const { preview, draft: place, trimmed } = running;
    const comment = (withComment && place.comment) || '';
    const text = preview.isBegun ? preview.text : place.lead + comment + trimmed.insert;
    if (await preview.insert(text, trimmed.replace)) this.end();
    else
      this.tell(vscode.l10n.t('VS Code did not let the code be inserted. Try to accept it again.'));
  }

  /** Forgets the code, also while it is being written. */
  reject(): void {
    const { running } = this;
    if (!running) return;
    this.end();
    const editor = vscode.window.activeTextEditor;
    if (editor?.document === running.preview.document && !running.preview.isBegun)
      editor.selection = running.selection;
  }

  dispose(): void {
    this.end();
    this.subscription.dispose();
  }

  private async run(instruction: string | null): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!editor) return this.tell(vscode.l10n.t('Open a file of code first.'));
    if (!this.parts.model())
      return this.tell(
        vscode.l10n.t('The model is not ready. The status bar says what it is doing.'),
      );
    this.reject();
    const running = this.start(editor, instruction);
    try {
      const done = await this.write(running, editor.document);
      if (this.running !== running) return;
      if (done) this.finish(running, done.text, editor.document.languageId);
      else this.fail(vscode.l10n.t('The inference worker ended before the code was complete.'));
    } catch (error) {
      if (this.running === running) this.fail((error as Error).message);
    }
  }

  private start(editor: vscode.TextEditor, instruction: string | null): Running {
    const { document, selection } = editor;
    const place = draft({
      ...textAround(document, selection),
      language: document.languageId,
      isSelection: !selection.isEmpty,
      instruction,
      indent: indentOf(editor),
    });
    const start = document.offsetAt(selection.start) + place.skip;
    const end = document.offsetAt(selection.end) + place.skip;
    const preview = new Preview(
      document,
      { start, end },
      {
        onLost: () => {
          this.end();
          this.tell(
            vscode.l10n.t('The preview was closed, because the text in its place was edited.'),
          );
        },
        onInserted: () => this.end(),
      },
    );
    const stop = new AbortController();
    this.running = {
      instruction,
      preview,
      draft: place,
      selection,
      stop,
      phase: 'generating',
      trimmed: NOTHING,
    };
    editor.selection = new vscode.Selection(preview.range().end, preview.range().end);
    this.tellContext();
    return this.running;
  }

  private write(running: Running, document: vscode.TextDocument) {
    const { draft: place, preview, stop } = running;
    this.parts.onStart();
    let text = '';
    const lenses = cancelling();
    const show = () => preview.show(place.lead + text, lenses);
    show();
    const request: CompletionRequest = {
      path: vscode.workspace.asRelativePath(document.uri, false).replaceAll('\\', '/'),
      language: document.languageId,
      ...completionWindow(place.prefix, place.suffix),
      snippets: this.parts.snippets(document.uri.toString()),
      maxTokens: this.parts.maxTokens(),
      extent: 'block',
      sampling: GREEDY,
    };
    const title = vscode.l10n.t('LCKV is generating (Esc cancels)');
    return vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, () =>
      this.parts.complete(request, stop.signal, (piece) => {
        text += piece;
        if (this.running === running) show();
      }),
    );
  }

  private finish(running: Running, completion: string, language: string): void {
    const { prefix, suffix, lead, comment } = running.draft;
    running.trimmed = trimCompletion({ language, prefix, suffix, completion });
    if (!isAnswer(running.trimmed.insert, running.instruction)) {
      this.reject();
      this.tell(
        vscode.l10n.t(
          'The model had nothing to add here. Say it in other words, or write the first line.',
        ),
      );
      return;
    }
    running.phase = 'ready';
    running.preview.show(lead + running.trimmed.insert, accepting(comment !== null));
    this.tellContext();
  }

  private fail(message: string): void {
    const instruction = this.running?.instruction ?? null;
    this.reject();
    this.parts.log(message);
    const again = vscode.l10n.t('Try Again');
    const said = vscode.l10n.t(
      'LCKV: nothing was generated, and the document is as it was. {0}',
      message,
    );
    void vscode.window.showErrorMessage(said, again).then((choice) => {
      if (choice) void this.run(instruction);
    });
  }

  private tell(message: string): void {
    void vscode.window.showInformationMessage(`LCKV: ${message}`);
  }

  private end(): void {
    const { running } = this;
    this.running = undefined;
    running?.stop.abort();
    running?.preview.dispose();
    this.tellContext();
  }

  /** Tells key bindings whether the editor shows a preview. */
  private tellContext(): void {
    const { running } = this;
    const isHere = vscode.window.activeTextEditor?.document === running?.preview.document;
    const value = isHere ? running?.phase : undefined;
    void vscode.commands.executeCommand('setContext', 'lckv.preview', value);
  }
}
