// The question for an instruction, which says what can be expected of the model.
import * as vscode from 'vscode';
import type { ModelInfo } from '../../protocol';

/** Asks what is to be written; undefined when the user has left. */
export function askInstruction({ fillInTheMiddle }: ModelInfo): Thenable<string | undefined> {
  const limits = vscode.l10n.t(
    'This small model completes code; it does not follow instructions well. It is shown your words as a comment.',
  );
  const blind = vscode.l10n.t('It sees only the text before the cursor.');
  return vscode.window.showInputBox({
    title: vscode.l10n.t('LCKV: Generate Here'),
    prompt: fillInTheMiddle ? limits : `${limits} ${blind}`,
    placeHolder: vscode.l10n.t('What the code does, as you would say it in a comment'),
  });
}
