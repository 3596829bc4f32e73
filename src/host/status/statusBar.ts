// The status bar item and its menu in VS Code.
import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { MenuItem } from './menu';
import { LINKED_COMMANDS, type Status, type StatusText } from './status';

/** The extension's item in the status bar; a click opens the menu. */
export class StatusBar implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;

  constructor() {
    this.item = vscode.window.createStatusBarItem('lckv', vscode.StatusBarAlignment.Right, 100);
    this.item.name = t('LCKV completion');
    this.item.command = 'lckv.showMenu';
    this.item.show();
  }

  show({ kind }: Status, { text, tooltip, label }: StatusText): void {
    this.item.text = text;
    this.item.tooltip = new vscode.MarkdownString(tooltip);
    this.item.tooltip.isTrusted = { enabledCommands: LINKED_COMMANDS };
    this.item.accessibilityInformation = { label, role: 'button' };
    this.item.backgroundColor =
      kind === 'failed' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
  }

  dispose(): void {
    this.item.dispose();
  }
}

/** Lets the user pick a line of the menu and runs its command. */
export async function showMenu(items: readonly MenuItem[], placeHolder: string): Promise<void> {
  const picked = await vscode.window.showQuickPick(items, { title: 'LCKV', placeHolder });
  if (picked) await vscode.commands.executeCommand(picked.command, picked.argument);
}
