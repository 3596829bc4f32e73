// The questions and messages about models, in VS Code.
import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Progress } from '../../hub/meter';
import type { Repository } from '../../hub/repository';
import type { ModelUi } from './models';
import { bytesText, progressText } from '../quantity';

/** Milliseconds between two updates of a progress message. */
const UPDATE_MS = 250;

/** Asks and tells by notifications and one dialog; `log` gets every warning too. */
export function createModelUi(log: (message: string) => void): ModelUi {
  const warn = (message: string, tryAgain?: () => void) => {
    log(message);
    void showWarning(message, tryAgain);
  };
  return { askLookUp, askDownload, withProgress, warn };
}

async function askLookUp(id: string): Promise<boolean> {
  const question = t('LCKV: {0} is not on this machine. Look up its size and licence on the hub?', id);
  const lookUp = t('Look Up');
  return (await vscode.window.showInformationMessage(question, lookUp, t('Not Now'))) === lookUp;
}

async function askDownload(repository: Repository, freeBytes: number): Promise<boolean> {
  const { id, address, commit, licence, totalBytes } = repository;
  const question = t('Download {0}, {1}?', id, bytesText(totalBytes));
  const detail = [
    t('From {0}, commit {1}', address, commit.slice(0, 8)),
    t('Licence: {0}', licence ?? t('none stated on its page')),
    t('{0} are free on the disk.', bytesText(freeBytes)),
  ].join('\n');
  const options = { modal: true, detail };
  const download = t('Download');
  return (await vscode.window.showInformationMessage(question, options, download)) === download;
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
  const [again, select] = [t('Try Again'), t('Select Model…')];
  const buttons = tryAgain ? [again, select] : [select];
  const choice = await vscode.window.showWarningMessage(`LCKV: ${message}`, ...buttons);
  if (choice === again) tryAgain?.();
  if (choice === select) await vscode.commands.executeCommand('lckv.selectModel');
}
