// Entry point of the extension: builds the parts and ties them to settings and commands.
import { join } from 'node:path';
import { config } from '@vscode/l10n';
import * as vscode from 'vscode';
import { ModelStore } from '../hub/store';
import { Syntax } from '../syntax/syntax';
import type { Api } from './api';
import { createCommands } from './commands';
import { Generator } from './generate/generator';
import { FileContext } from './context/context';
import { InlineProvider } from './suggest/inline';
import type { PickerParts } from './models/modelPicker';
import { Models } from './models/models';
import { createModelUi } from './models/modelUi';
import { Pause } from './status/pause';
import { WorkerRelay } from './worker/relay';
import { readSettings } from './settings';
import { Statistics, summaryFacts } from './suggest/statistics';
import { describeStatus, type Status } from './status/status';
import { StatusBar } from './status/statusBar';
import { Power } from './suggest/power';
import { ReadingAhead } from './suggest/ahead';
import { Suggester } from './suggest/suggester';
import { ModelPage } from './views/modelPage';

export type { Api };

/** Called by VS Code once, after start-up. */
export function activate(context: vscode.ExtensionContext): Api {
  if (vscode.l10n.bundle) config({ contents: vscode.l10n.bundle });
  const log = vscode.window.createOutputChannel('LCKV', { log: true });
  const settings = () =>
    readSettings((name) => vscode.workspace.getConfiguration('lckv').get(name));

  const bar = new StatusBar();
  const statistics = new Statistics();
  const showStatus = () => {
    bar.show(status(), describeStatus(status(), worker.timings, statistics.summary));
    tellReady(worker.state.kind === 'ready');
  };
  const pause = new Pause(() => showStatus());
  let servedDir: string | undefined;
  const worker = new WorkerRelay({
    script: context.asAbsolutePath(join('dist', 'worker.mjs')),
    log: (line) => log.info(line),
    onChange: () => {
      if (worker.state.kind === 'ready' && worker.modelDir !== servedDir) {
        servedDir = worker.modelDir;
        suggester.forget();
        files.reset();
      }
      showStatus();
    },
    onRefused: (...refusal) => models.refused(...refusal),
  });
  const store = new ModelStore(context.globalStorageUri.fsPath);
  const { version } = context.extension.packageJSON as { version: string };
  const models: Models = new Models({
    store,
    tuningFile: join(context.globalStorageUri.fsPath, `kernels-${version}.json`),
    bundledDir: context.asAbsolutePath(join('models', 'lckv-code-55m')),
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
  /** A quarter of the model's context, at three characters a token. */
  const snippetCharacters = () => {
    const { state } = worker;
    const serves = state.kind === 'ready' && state.model.snippets && settings().contextFiles;
    return serves ? Math.floor((state.model.contextTokens / 4) * 3) : 0;
  };
  const files = new FileContext({
    characters: snippetCharacters,
    onChange: (uri, snippets, ms) => {
      const paths = snippets.map(({ path }) => path).join(', ');
      reading.soon();
      log.debug(`snippets for ${uri} in ${Math.round(ms)} ms: ${paths || 'none'}`);
    },
  });
  const syntax = new Syntax(context.asAbsolutePath(join('dist', 'grammars')));
  const power = new Power();
  const suggester = new Suggester({
    complete: async (request, signal, onText) => {
      try {
        const completion = await worker.complete(request, signal, onText);
        if (completion) log.debug('completion', JSON.stringify(completion));
        return completion;
      } catch (error) {
        log.error('no completion:', error);
        throw error;
      }
    },
    choose: (...request) => worker.choose(...request),
    prepare: async (...request) => {
      const timings = await worker.prepare(...request);
      if (timings) log.debug('prompt read ahead', JSON.stringify(timings));
    },
    settings,
    extentAt: (place) => syntax.extent(place),
    snippets: (uri) => files.of(uri),
    isSaving: () => settings().onBattery !== 'same' && power.isOnBattery,
  });
  const status = (): Status => {
    const { state } = worker;
    if (state.kind === 'stopped') return { kind: 'off' };
    if (state.kind !== 'ready') return state;
    if (suggester.busy) return { kind: 'thinking', forMs: suggester.busyMs, ready: state };
    return pause.leftMs > 0 ? { kind: 'paused', leftMs: pause.leftMs } : state;
  };

  const generator = new Generator({
    complete: (...request) => worker.complete(...request),
    model: () => (worker.state.kind === 'ready' ? worker.state.model : undefined),
    maxTokens: () => settings().generateTokens,
    snippets: (uri) => files.of(uri),
    onStart: () => suggester.yield(),
    log: (message) => log.error('nothing generated:', message),
  });

  const page = new ModelPage({
    media: vscode.Uri.joinPath(context.extensionUri, 'media'),
    status: () => describeStatus(status()).label,
    ready: () => (worker.state.kind === 'ready' ? worker.state : undefined),
    stats: () => worker.stats(),
    timings: () => worker.timings,
    history: () => statistics.history,
    suggestions: () => summaryFacts(statistics.summary),
    complete: (...request) => worker.complete(...request),
    onStart: () => {
      generator.reject();
      suggester.yield();
    },
  });

  const applySettings = () => {
    suggester.forget();
    files.reset();
    models.apply();
  };
  const inline = new InlineProvider({
    suggester,
    syntax,
    statistics,
    settings,
    isReady: () => worker.state.kind === 'ready',
    isPaused: () => pause.leftMs > 0,
    isOnBattery: () => power.isOnBattery,
    isGenerating: (document) => page.isMeasuring || generator.occupies(document),
    onChange: showStatus,
  });

  const reading = new ReadingAhead((editor) => inline.prepare(editor));
  const clock = setInterval(() => suggester.busyMs >= 1000 && showStatus(), 1000).unref();

  const commands = createCommands({
    ...{ generator, page, pause, picker, suggester, worker, models, statistics },
    ...{ settings, status },
    showLog: () => log.show(),
  });
  context.subscriptions.push(
    { dispose: () => worker.stop() },
    { dispose: () => pause.stop() },
    syntax,
    bar,
    generator,
    page,
    log,
    ...Object.entries(commands).map(([id, run]) => vscode.commands.registerCommand(id, run)),
    inline.register(),
    reading.register(),
    { dispose: () => clearInterval(clock) },
    files.register(),
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
    snippets: (uri) => files.of(uri),
    workerPid: () => worker.pid,
    generated: () => {
      const { phase, text } = generator;
      return phase && text !== undefined ? { phase, text } : undefined;
    },
    page: () => page.html,
    workerStats: () => worker.stats(),
    modelProblem: () => models.problem,
  };
}

let toldReady: boolean | undefined;

/** Tells the enablement of commands whether a model is ready. */
function tellReady(isReady: boolean): void {
  if (isReady !== toldReady)
    void vscode.commands.executeCommand('setContext', 'lckv.ready', isReady);
  toldReady = isReady;
}
