// The questions and messages about models, in VS Code.
import * as vscode from 'vscode';
import type { Progress } from '../../hub/meter';
import type { Repository } from '../../hub/repository';
import type { ModelUi } from './models';
import { bytesText, progressText } from '../quantity';

/** Milliseconds between two updates of a progress message. */
const UPDATE_MS = 250;

const TRY_AGAIN = 'Try Again';
const SELECT = 'Select Model…';

/** Asks and tells by notifications and one dialog; `log` gets every warning too. */
export function createModelUi(log: (message: string) => void): ModelUi {
  const warn = (message: string, tryAgain?: () => void) => {
    log(message);
    void showWarning(message, tryAgain);
  };
  return { askLookUp, askDownload, withProgress, warn };
}

async function askLookUp(id: string): Promise<boolean> {
  const question = `LCKV: ${id} is not on this machine. Look up its size and licence on the hub?`;
  return (await vscode.window.showInformationMessage(question, 'Look Up', 'Not Now')) === 'Look Up';
}

async function askDownload(repository: Repository, freeBytes: number): Promise<boolean> {
  const { id, address, commit, licence, totalBytes } = repository;
  const question = `Download ${id}, ${bytesText(totalBytes)}?`;
  const detail = [
    `From ${address}, commit ${commit.slice(0, 8)}`,
    `Licence: ${licence ?? 'none stated on its page'}`,
    `${bytesText(freeBytes)} are free on the disk.`,
  ].join('\n');
  const options = { modal: true, detail };
  return (await vscode.window.showInformationMessage(question, options, 'Download')) === 'Download';
}

async function withProgress<T>(
  title: string,
  task: (signal: AbortSignal, report: (progress: Progress) => void) => Promise<T>,
): Promise<T> {
  const location = vscode.ProgressLocation.Notification;
  const options = { location, title: `LCKV: ${title}`, cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    const controller = new AbortController();
    token.onCancellationRequested(() => controller.abort());
    let lastMs = 0;
    let lastPercent = 0;
    return task(controller.signal, (now) => {
      if (performance.now() - lastMs < UPDATE_MS) return;
      lastMs = performance.now();
      const percent = (now.doneBytes / now.totalBytes) * 100;
      progress.report({ message: progressText(now), increment: percent - lastPercent });
      lastPercent = percent;
    });
  });
}

async function showWarning(message: string, tryAgain?: () => void): Promise<void> {
  const buttons = tryAgain ? [TRY_AGAIN, SELECT] : [SELECT];
  const choice = await vscode.window.showWarningMessage(`LCKV: ${message}`, ...buttons);
  if (choice === TRY_AGAIN) tryAgain?.();
  if (choice === SELECT) await vscode.commands.executeCommand('lckv.selectModel');
}
