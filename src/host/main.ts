// Entry point of the extension: builds the parts and ties them to settings and commands.
import { join } from 'node:path';
import * as vscode from 'vscode';
import { ModelStore } from '../hub/store';
import type { Timings } from '../protocol';
import { setEnabled, toggleLanguage } from './configure';
import { isLanguageOn } from './suggest/gate';
import { InlineProvider } from './suggest/inline';
import { menuItems } from './status/menu';
import { manageModels, pickDownload, pickModel, type PickerParts } from './models/modelPicker';
import { Models } from './models/models';
import { createModelUi } from './models/modelUi';
import { explain, type Answer } from './suggest/outcome';
import { Pause } from './status/pause';
import { WorkerRelay } from './worker/relay';
import { readSettings } from './settings';
import { describeSummary, Statistics, type Summary } from './suggest/statistics';
import { describeStatus, type Status } from './status/status';
import { showMenu, StatusBar } from './status/statusBar';
import { Suggester } from './suggest/suggester';

/** What `activate` returns, for tests and for the curious. */
export interface Api {
  status(): Status;
  /** Timings of the last completion. */
  lastTimings(): Timings | undefined;
  /** What came of the last question for a suggestion. */
  lastAnswer(): Answer | undefined;
  /** Counts of suggestions; undefined until there was one. */
  summary(): Summary | undefined;
  /** How many generations were asked for, and how many made ahead. */
  generations(): Readonly<Suggester['generations']>;
  /** Process id of the inference worker. */
  workerPid(): number | undefined;
  /** Why the model of the settings does not serve. */
  modelProblem(): string | undefined;
}

/** Called by VS Code once, after start-up. */
export function activate(context: vscode.ExtensionContext): Api {
  const log = vscode.window.createOutputChannel('LCKV', { log: true });
  const settings = () =>
    readSettings((name) => vscode.workspace.getConfiguration('lckv').get(name));

  const bar = new StatusBar();
  const statistics = new Statistics();
  const showStatus = () =>
    bar.show(status(), describeStatus(status(), worker.timings, statistics.summary));
  const pause = new Pause(() => showStatus());
  let servedDir: string | undefined;
  const worker = new WorkerRelay({
    script: context.asAbsolutePath(join('dist', 'worker.mjs')),
    log: (line) => log.info(line),
    onChange: () => {
      if (worker.modelDir !== servedDir) suggester.forget();
      servedDir = worker.modelDir;
      showStatus();
    },
    onRefused: (...refusal) => models.refused(...refusal),
  });
  const store = new ModelStore(context.globalStorageUri.fsPath);
  const models: Models = new Models({
    store,
    bundledDir: context.asAbsolutePath(join('models', 'lckv-code-42m')),
    settings,
    worker,
    memory: context.globalState,
    ui: createModelUi((message) => log.warn(message)),
  });
  const picker: PickerParts = {
    store,
    chosen: () => settings().model,
    servedDir: () => worker.modelDir,
    download: (id) => models.download(id),
  };
  const suggester = new Suggester(async (request, signal, onText) => {
    try {
      const completion = await worker.complete(request, signal, onText);
      if (completion) log.debug('completion', JSON.stringify(completion));
      return completion?.text;
    } catch (error) {
      log.error('no completion:', error);
      throw error;
    }
  }, settings);
  const status = (): Status => {
    const { state } = worker;
    if (state.kind === 'stopped') return { kind: 'off' };
    if (state.kind !== 'ready') return state;
    if (suggester.busy) return { kind: 'thinking', ready: state };
    return pause.leftMs > 0 ? { kind: 'paused', leftMs: pause.leftMs } : state;
  };

  const applySettings = () => {
    suggester.forget();
    models.apply();
  };
  const inline = new InlineProvider({
    suggester,
    statistics,
    settings,
    isReady: () => worker.state.kind === 'ready',
    isPaused: () => pause.leftMs > 0,
    onChange: showStatus,
  });

  const currentLanguage = () => vscode.window.activeTextEditor?.document.languageId;
  const explanation = () => explain(statistics.last, Date.now());
  const openMenu = () => {
    const id = currentLanguage();
    const language = id ? { id, isOn: isLanguageOn(settings().languages, id) } : undefined;
    const items = menuItems({ status: status(), language, explanation: explanation() });
    const { summary } = statistics;
    return showMenu(items, summary ? describeSummary(summary) : 'No suggestions yet');
  };
  const tellWhy = () => {
    void vscode.window.showInformationMessage(explanation());
    return explanation();
  };

  const commands: Record<string, () => unknown> = {
    'lckv.enable': () => setEnabled(true),
    'lckv.disable': () => setEnabled(false),
    'lckv.toggle': () => setEnabled(!settings().enabled),
    'lckv.toggleLanguage': () => {
      const language = currentLanguage();
      return language && toggleLanguage(language);
    },
    'lckv.pause': () => pause.start(),
    'lckv.resume': () => pause.stop(),
    'lckv.explain': () => tellWhy(),
    'lckv.showMenu': () => openMenu(),
    'lckv.selectModel': () => pickModel(picker),
    'lckv.downloadModel': () => pickDownload(picker),
    'lckv.manageModels': () => manageModels(picker),
    'lckv.restartWorker': () => {
      suggester.forget();
      worker.restart();
      models.retry();
    },
    'lckv.showLog': () => log.show(),
  };
  context.subscriptions.push(
    { dispose: () => worker.stop() },
    { dispose: () => pause.stop() },
    bar,
    log,
    ...Object.entries(commands).map(([id, run]) => vscode.commands.registerCommand(id, run)),
    inline.register(),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('lckv')) applySettings();
    }),
  );
  showStatus();
  applySettings();
  return {
    status,
    lastTimings: () => worker.timings,
    lastAnswer: () => statistics.last,
    summary: () => statistics.summary,
    generations: () => ({ ...suggester.generations }),
    workerPid: () => worker.pid,
    modelProblem: () => models.problem,
  };
}
