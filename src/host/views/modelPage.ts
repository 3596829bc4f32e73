// The commands around the info page: show it, show its statistics, and measure this machine.
import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type {
  CompletionRequest,
  DeviceInfo,
  ModelInfo,
  Timings,
  WorkerStats,
} from '../../protocol';
import { benchmark, benchmarkFacts } from './benchmark';
import type { Info } from './infoPage';
import { InfoView } from './infoView';

/** Where the page's content comes from. */
export interface PageParts {
  /** The folder of the page's files. */
  media: vscode.Uri;
  status(): string;
  ready(): { device: DeviceInfo; model: ModelInfo } | undefined;
  stats(): Promise<WorkerStats | undefined>;
  timings(): Timings | undefined;
  /** Milliseconds that the last suggestions took. */
  history(): readonly number[];
  suggestions(): Info['suggestions'];
  complete(
    request: CompletionRequest,
    signal: AbortSignal,
  ): Promise<{ timings: Timings } | undefined>;
  /** Called before a benchmark takes the worker. */
  onStart(): void;
}

/** The page and the benchmark that it shows. */
export class ModelPage implements vscode.Disposable {
  private readonly parts: PageParts;
  private readonly view: InfoView;
  private found: Info['benchmark'];
  private measuring = false;

  constructor(parts: PageParts) {
    this.parts = parts;
    this.view = new InfoView(parts.media, () => this.info());
  }

  /** A benchmark has the worker. */
  get isMeasuring(): boolean {
    return this.measuring;
  }

  /** The page's HTML, or undefined where none is open. */
  get html(): string | undefined {
    return this.view.html;
  }

  show(): Promise<void> {
    return this.view.show();
  }

  showStatistics(): Promise<void> {
    return this.view.show('suggestions');
  }

  /** Measures and shows what was found; resolves with it, or undefined when there is nothing. */
  async benchmark(): Promise<Info['benchmark']> {
    if (this.measuring) return undefined;
    this.measuring = true;
    this.parts.onStart();
    try {
      const found = await this.measure();
      if (!found) return undefined;
      this.found = benchmarkFacts(found);
      await this.view.show('benchmark');
      return this.found;
    } catch (error) {
      const message = t('LCKV: the benchmark failed. {0}', (error as Error).message);
      void vscode.window.showErrorMessage(message);
      return undefined;
    } finally {
      this.measuring = false;
    }
  }

  dispose(): void {
    this.view.dispose();
  }

  private measure() {
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: t('LCKV: measuring this machine'),
      cancellable: true,
    };
    return vscode.window.withProgress(options, (progress, token) => {
      const stop = new AbortController();
      token.onCancellationRequested(() => stop.abort());
      let last = 0;
      const measure = async (request: CompletionRequest, signal: AbortSignal) =>
        (await this.parts.complete(request, signal))?.timings;
      const runs = this.parts.ready()?.device.software ? 1 : 3;
      return benchmark(measure, runs, stop.signal, (share) => {
        progress.report({ increment: (share - last) * 100 });
        last = share;
      });
    });
  }

  private async info(): Promise<Info> {
    const { parts } = this;
    return {
      status: parts.status(),
      ...parts.ready(),
      stats: await parts.stats(),
      timings: parts.timings(),
      history: parts.history(),
      suggestions: parts.suggestions(),
      benchmark: this.found,
    };
  }
}
