// What can be done with a preview, as the lines above it.
import * as vscode from 'vscode';

/** While the model writes. */
export function cancelling(): vscode.Command[] {
  return [
    {
      title: `$(loading~spin) ${vscode.l10n.t('LCKV is generating: cancel (Esc)')}`,
      command: 'lckv.rejectGenerated',
    },
  ];
}

/** When it has written; `hasComment` where the instruction can stand before the code. */
export function accepting(hasComment: boolean): vscode.Command[] {
  const accept = {
    title: `$(check) ${vscode.l10n.t('Accept (Ctrl+Enter)')}`,
    command: 'lckv.acceptGenerated',
  };
  const keep = {
    title: vscode.l10n.t('Accept with Comment'),
    command: 'lckv.acceptGeneratedWithComment',
  };
  const reject = {
    title: `$(close) ${vscode.l10n.t('Reject (Esc)')}`,
    command: 'lckv.rejectGenerated',
  };
  return hasComment ? [accept, keep, reject] : [accept, reject];
}
