// What the tests do in VS Code, and how they wait for what comes of it.
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { Api } from '../../src/host/main';

const START_MS = 120_000;
const ANSWER_MS = 90_000;

export const extension = vscode.extensions.getExtension<Api>('lckv-code.lckv-code')!;
export const run = <T>(command: string, argument?: unknown): Thenable<T> =>
  vscode.commands.executeCommand<T>(command, argument);
export const settings = () => vscode.workspace.getConfiguration('lckv');

/** Prints a figure beside the results. */
export function note(text: string): void {
  const file = process.env.LCKV_TEST_RESULTS;
  if (file) appendFileSync(file, `${JSON.stringify({ note: text })}\n`);
}

/** The extension with its model loaded. */
export async function activate(): Promise<Api> {
  const api = await extension.activate();
  await reach('ready');
  return api;
}

/** Waits until a condition holds; says what did not come and what the extension was doing. */
export async function until(
  condition: () => boolean,
  what: string,
  limitMs = ANSWER_MS,
): Promise<void> {
  for (const end = Date.now() + limitMs; !condition(); await sleep(50)) {
    if (Date.now() < end) continue;
    const api = extension.exports;
    const state = JSON.stringify([api.status(), api.lastAnswer()]);
    throw new Error(`${what} did not come: ${state.slice(0, 800)}`);
  }
}

/** Waits for a kind of status. */
export const reach = (kind: string) =>
  until(() => extension.exports.status().kind === kind, kind, START_MS);

/** Opens text with the cursor at its end. */
export async function open(source: { language: string; content: string } | vscode.Uri) {
  const document =
    source instanceof vscode.Uri
      ? await vscode.workspace.openTextDocument(source)
      : await untitled(source);
  const editor = await vscode.window.showTextDocument(document);
  const end = document.positionAt(document.getText().length);
  editor.selection = new vscode.Selection(end, end);
  return document;
}

/** A new document. While one of the same name is being closed, VS Code gives that one. */
async function untitled(source: { language: string; content: string }) {
  for (;;) {
    const document = await vscode.workspace.openTextDocument(source);
    if (document.getText() === source.content) return document;
    await sleep(100);
  }
}

/** Asks for ghost text and waits for the worker's answer. */
export async function trigger(): Promise<void> {
  await run('hideSuggestWidget');
  await run('editor.action.inlineSuggest.trigger');
  await sleep(300);
  await until(() => extension.exports.status().kind !== 'thinking', 'an answer');
  await sleep(200);
}

/** Accepts the suggestion at the cursor; returns the inserted text, or '' if there was none. */
export async function accept(document: vscode.TextDocument, tries = 6): Promise<string> {
  const before = document.getText();
  for (let i = 0; i < tries && document.getText() === before; i++) {
    await trigger();
    await run('editor.action.inlineSuggest.commit');
    await sleep(200);
  }
  return document.getText().slice(before.length);
}

/** Python that wants a difference at its end. */
export const PYTHON = [
  'class Stack:',
  '    def __init__(self):',
  '        self.items = []',
  '',
  '    def push(self, item):',
  '        self.items.append(item)',
  '',
  '    def pop(self):',
  '        ',
].join('\n');

/** A Python file with the cursor where `self.items.pop()` is due. */
export const python = (comment: string) =>
  open({ language: 'python', content: `# ${comment}\n${PYTHON}` });
