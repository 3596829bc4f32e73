// Documents that are not plain files: cells of notebooks, comparisons, very large ones.
import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { Api } from '../../src/host/main';
import { accept, activate, open, PYTHON, run, until } from './editor';

let api: Api;

const lastReason = () => {
  const outcome = api.lastAnswer()?.outcome;
  return outcome?.kind === 'nothing' ? outcome.reason.kind : undefined;
};

describe('LCKV in documents of other kinds', () => {
  before(async () => {
    api = await activate();
  });

  afterEach(async () => {
    await run('workbench.action.closeAllEditors');
  });

  it('suggests in a cell of a notebook', async () => {
    const cell = new vscode.NotebookCellData(vscode.NotebookCellKind.Code, PYTHON, 'python');
    const notebook = await vscode.workspace.openNotebookDocument(
      'jupyter-notebook',
      new vscode.NotebookData([cell]),
    );
    await vscode.window.showNotebookDocument(notebook);
    await run('notebook.cell.edit');
    const { document } = notebook.cellAt(0);
    await until(() => vscode.window.activeTextEditor?.document === document, 'the cell', 20_000);
    const end = document.positionAt(document.getText().length);
    vscode.window.activeTextEditor!.selection = new vscode.Selection(end, end);
    assert.notEqual(await accept(document), '');
  });

  it('does not suggest by itself in a comparison', async () => {
    const source = { language: 'python', content: PYTHON };
    const [left, right] = [await open(source), await open(source)];
    const plain = vscode.window.activeTextEditor;
    await vscode.commands.executeCommand('vscode.diff', left.uri, right.uri);
    await until(() => {
      const editor = vscode.window.activeTextEditor;
      const { activeTab } = vscode.window.tabGroups.activeTabGroup;
      const isDiff = activeTab?.input instanceof vscode.TabInputTextDiff;
      return isDiff && editor !== plain && editor?.document === right;
    }, 'the right side');
    // The cursor goes to the first difference some time after the comparison is there.
    for (let i = 0; i < 15 && lastReason() !== 'diff'; i++) {
      await run('workbench.action.focusActiveEditorGroup');
      await run('cursorBottom');
      await run('type', { text: 'a' });
      await sleep(500);
    }
    assert.equal(lastReason(), 'diff');
  });

  it('does not suggest by itself in a very large document', async () => {
    // A file: VS Code gives the undo steps of an untitled document to the next one of that name.
    const uri = vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0].uri, 'large.py');
    const text = new TextEncoder().encode('a = 1\n'.repeat(170_000));
    await vscode.workspace.fs.writeFile(uri, text);
    await open(uri);
    await run('type', { text: 'b' });
    await until(() => lastReason() === 'large', 'the reason', 20_000);
  });
});
