// Code by command: whatever becomes of it, the document is right and one undo brings it back.
import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { Api } from '../../src/host/main';
import { activate, open, PYTHON, reach, run, until } from './editor';

const PLACE = 'def area(w, h):\n    return w * h\n\n\ndef volume(w, h, d):\n    ';
const TYPED = 'return';
const INSTRUCTION = { instruction: 'the product of width, height and depth' };
let api: Api;

/** A Python document with `text`, and how it was before anything. */
async function start(text: string) {
  const document = await open({ language: 'python', content: text });
  return { document, version: document.version };
}

/** The same with a word typed at its end, so that there is one thing to undo. */
async function startTyped() {
  const { document } = await start(PLACE);
  await run('type', { text: TYPED });
  return { document, version: document.version };
}

/** The document is as it was, and one undo takes back what the user typed. */
async function assertUntouched(document: vscode.TextDocument, version: number): Promise<void> {
  assert.deepEqual([document.getText(), document.version], [PLACE + TYPED, version]);
  assert.equal(api.generated(), undefined);
  await run('undo');
  assert.equal(document.getText(), PLACE);
}

const generated = (phase: 'generating' | 'ready') =>
  until(() => api.generated()?.phase === phase && api.generated()!.text !== '', phase);

/** Generates to its end; resolves with what the preview shows. */
async function preview(): Promise<string> {
  await run('lckv.generate', INSTRUCTION);
  await generated('ready');
  return api.generated()!.text;
}

describe('LCKV code by command', () => {
  before(async () => {
    api = await activate();
  });

  afterEach(async () => {
    await run('lckv.rejectGenerated');
    await run('workbench.action.closeAllEditors');
  });

  it('is accepted as one step for undo', async () => {
    const { document, version } = await start(PLACE);
    const text = await preview();
    assert.equal(document.version, version, 'the preview is not in the document');
    await run('lckv.acceptGenerated');
    assert.equal(document.getText(), PLACE + text);
    assert.equal(api.generated(), undefined);
    await run('undo');
    assert.equal(document.getText(), PLACE);
    await run('redo');
    assert.equal(document.getText(), PLACE + text);
  });

  it('takes its comment along, if that is wanted', async () => {
    const { document } = await start(PLACE);
    const text = await preview();
    await run('lckv.acceptGeneratedWithComment');
    assert.equal(document.getText(), `${PLACE}# ${INSTRUCTION.instruction}\n    ${text}`);
    await run('undo');
    assert.equal(document.getText(), PLACE);
  });

  it('replaces a selection, in a document with Windows line ends', async () => {
    const old = PLACE.replaceAll('\n', '\r\n') + 'pass\r\n\r\n\r\nprint(1)\r\n';
    const { document } = await start(old);
    assert.equal(document.eol, vscode.EndOfLine.CRLF);
    const place = document.positionAt(old.indexOf('pass'));
    const editor = vscode.window.activeTextEditor!;
    editor.selection = new vscode.Selection(place, place.translate(0, 4));
    const text = (await preview()).replaceAll('\n', '\r\n');
    await run('lckv.acceptGenerated');
    assert.equal(
      document.getText(),
      old.replace('pass', () => text),
    );
    await run('undo');
    assert.equal(document.getText(), old);
  });

  it('leaves nothing behind when it is rejected', async () => {
    const { document, version } = await startTyped();
    const { selection } = vscode.window.activeTextEditor!;
    await preview();
    await run('lckv.rejectGenerated');
    assert.ok(vscode.window.activeTextEditor!.selection.isEqual(selection));
    await assertUntouched(document, version);
  });

  it('leaves nothing behind when it is cancelled while it is written', async () => {
    const { document, version } = await startTyped();
    void run('lckv.generate', INSTRUCTION);
    await generated('generating');
    await run('lckv.rejectGenerated');
    await until(() => api.status().kind === 'ready', 'an idle worker');
    await sleep(300);
    await assertUntouched(document, version);
  });

  it('leaves nothing behind when the worker dies', async () => {
    const { document, version } = await startTyped();
    void run('lckv.generate', INSTRUCTION);
    await generated('generating');
    process.kill(api.workerPid()!, 'SIGKILL');
    await until(() => api.generated() === undefined, 'the end of the preview');
    await assertUntouched(document, version);
    await reach('ready');
  });

  it('keeps its place while the document is edited elsewhere', async () => {
    const { document } = await start(PLACE);
    const text = await preview();
    const edit = new vscode.WorkspaceEdit();
    edit.insert(document.uri, new vscode.Position(0, 0), '# above\n');
    await vscode.workspace.applyEdit(edit);
    await run('lckv.acceptGenerated');
    assert.equal(document.getText(), `# above\n${PLACE}${text}`);
    await run('undo');
    assert.equal(document.getText(), `# above\n${PLACE}`);
  });

  it('goes away when its own place is edited', async () => {
    const { document } = await start(PLACE);
    await preview();
    await run('type', { text: '@' });
    await until(() => api.generated() === undefined, 'the end of the preview');
    assert.equal(document.getText(), `${PLACE}@`);
  });

  it('is not disturbed by suggestions, and completes a block without an instruction', async () => {
    const { document } = await start(PYTHON);
    const done = run('lckv.completeBlock');
    await generated('generating');
    await run('editor.action.inlineSuggest.trigger');
    await done;
    await generated('ready');
    assert.match(await run<string>('lckv.explain'), /generated/);
    const { text } = api.generated()!;
    await run('lckv.acceptGenerated');
    assert.equal(document.getText(), PYTHON + text);
    await run('undo');
    assert.equal(document.getText(), PYTHON);
  });
});
