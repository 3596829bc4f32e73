// The commands of the manifest, and what each does.
import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { setEnabled, toggleLanguage } from './configure';
import type { GenerateArguments, Generator } from './generate/generator';
import { manageModels, pickDownload, pickModel, type PickerParts } from './models/modelPicker';
import type { Models } from './models/models';
import { openSample } from './sample';
import type { Settings } from './settings';
import { menuItems } from './status/menu';
import type { Pause } from './status/pause';
import type { Status } from './status/status';
import { showMenu } from './status/statusBar';
import { isLanguageOn } from './suggest/gate';
import { explain } from './suggest/outcome';
import { describeSummary, type Statistics } from './suggest/statistics';
import type { Suggester } from './suggest/suggester';
import type { ModelPage } from './views/modelPage';
import type { WorkerRelay } from './worker/relay';

/** What the commands work on. */
export interface CommandParts {
  generator: Generator;
  page: ModelPage;
  pause: Pause;
  picker: PickerParts;
  suggester: Suggester;
  worker: WorkerRelay;
  models: Models;
  statistics: Statistics;
  settings(): Settings;
  status(): Status;
  showLog(): void;
}

/** The commands by their names in the manifest. */
export function createCommands(
  parts: CommandParts,
): Record<string, (argument?: unknown) => unknown> {
  const { generator, page, pause, picker } = parts;
  return {
    'lckv.generate': (argument) => generator.generate(argument as GenerateArguments | undefined),
    'lckv.completeBlock': () => generator.completeBlock(),
    'lckv.acceptGenerated': () => generator.accept(),
    'lckv.acceptGeneratedWithComment': () => generator.accept(true),
    'lckv.rejectGenerated': () => generator.reject(),
    'lckv.enable': () => setEnabled(true),
    'lckv.disable': () => setEnabled(false),
    'lckv.toggle': () => setEnabled(!parts.settings().enabled),
    'lckv.toggleLanguage': () => {
      const language = currentLanguage();
      return language && toggleLanguage(language);
    },
    'lckv.pause': () => pause.start(),
    'lckv.resume': () => pause.stop(),
    'lckv.explain': () => tellWhy(parts),
    'lckv.showMenu': () => openMenu(parts),
    'lckv.showInfo': () => page.show(),
    'lckv.openStatistics': () => page.showStatistics(),
    'lckv.benchmark': () => page.benchmark(),
    'lckv.openSample': () => openSample(),
    'lckv.selectModel': () => pickModel(picker),
    'lckv.downloadModel': () => pickDownload(picker),
    'lckv.manageModels': () => manageModels(picker),
    'lckv.restartWorker': () => {
      parts.suggester.forget();
      parts.worker.restart();
      parts.models.retry();
    },
    'lckv.showLog': () => parts.showLog(),
  };
}

const currentLanguage = () => vscode.window.activeTextEditor?.document.languageId;

const explanation = ({ statistics, suggester }: CommandParts) =>
  explain(statistics.last, Date.now(), suggester.busyMs);

function tellWhy(parts: CommandParts): string {
  const text = explanation(parts);
  void vscode.window.showInformationMessage(text);
  return text;
}

function openMenu(parts: CommandParts): Promise<void> {
  const id = currentLanguage();
  const language = id ? { id, isOn: isLanguageOn(parts.settings().languages, id) } : undefined;
  const items = menuItems({ status: parts.status(), language, explanation: explanation(parts) });
  const { summary } = parts.statistics;
  return showMenu(items, summary ? describeSummary(summary) : t('No suggestions yet'));
}
