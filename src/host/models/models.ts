// Keeps the worker on the model that the settings name, and what the user must be asked for that.
// Whatever happens, a model that works goes on working. Knows no editor.
import { t } from '@vscode/l10n';
import { Hub } from '../../hub/hub';
import { installModel } from '../../hub/install';
import type { Progress } from '../../hub/meter';
import type { Repository } from '../../hub/repository';
import type { ModelStore } from '../../hub/store';
import { phrase, sentenceOf } from '../../sentence';
import type { Load } from '../worker/options';
import type { WorkerRelay } from '../worker/relay';
import { selectModel } from './selection';
import type { Settings } from '../settings';

/** How the user is asked and told. */
export interface ModelUi {
  /** May the hub be asked about the size and licence of this model? */
  askLookUp(id: string): Promise<boolean>;
  /** Shall this be downloaded? */
  askDownload(repository: Repository, freeBytes: number): Promise<boolean>;
  /** Runs a task that can be cancelled and shows how far it is. */
  withProgress<T>(
    title: string,
    task: (signal: AbortSignal, report: (progress: Progress) => void) => Promise<T>,
  ): Promise<T>;
  /** Says what is wrong; offers to try again where that may help. */
  warn(message: string, tryAgain?: () => void): void;
}

/** Where it is remembered that the user did not want a model, as VS Code's Memento. */
export interface Memory {
  get(key: string): unknown;
  update(key: string, value: unknown): Thenable<void>;
}

/** The settings that decide which model runs, and how. */
export type ModelSettings = Pick<
  Settings,
  | 'enabled'
  | 'model'
  | 'precision'
  | 'contextTokens'
  | 'cacheMemoryMiB'
  | 'powerPreference'
  | 'adapter'
>;

/** What the models are kept with. */
export interface ModelsOptions {
  store: ModelStore;
  bundledDir: string;
  /** Where workers keep which kernels are fastest. */
  tuningFile?: string;
  settings(): ModelSettings;
  worker: Pick<WorkerRelay, 'start' | 'stop' | 'state'>;
  ui: ModelUi;
  memory: Memory;
  /** Opens the hub when a user has agreed; a test gives its own. */
  openHub?: () => Hub;
}

const DECLINED = 'lckv.declinedModels';

/** The models of this machine and the one in use. */
export class Models {
  private readonly options: ModelsOptions;
  /** Downloads under way, by repository. */
  private readonly downloads = new Map<string, Promise<boolean>>();
  private refusedLoad: Load | undefined;
  /** The value that the user was last told or asked about. */
  private saidAbout: string | undefined;
  private isStarting = true;
  private currentProblem: string | undefined;

  constructor(options: ModelsOptions) {
    this.options = options;
  }

  /** Why the model of the settings does not serve; undefined when it does or is being loaded. */
  get problem(): string | undefined {
    return this.currentProblem;
  }

  /** Makes the worker run as the settings say; to be called when they have changed. */
  apply(): void {
    const { worker, store, bundledDir } = this.options;
    const { enabled, model } = this.options.settings();
    const { isStarting } = this;
    this.isStarting = false;
    if (!enabled) return worker.stop();
    const downloaded = (id: string) => (store.has(id) ? store.dirOf(id) : null);
    const selection = selectModel(model, { bundledDir, downloaded });
    if (selection.kind === 'folder') {
      this.saidAbout = undefined;
      return this.serve(this.loadOf(selection.dir));
    }
    this.keepServing();
    if (model === this.saidAbout) return;
    this.saidAbout = model;
    if (selection.kind === 'wrong') this.complain(selection.message);
    else void this.offer(selection.id, isStarting);
  }

  /** Loads a refused model again, as after its folder was repaired. */
  retry(): void {
    this.refusedLoad = undefined;
    this.apply();
  }

  /** The worker cannot serve a model; without another one, the bundled one takes its place. */
  refused(load: Load, message: string, kept: boolean): void {
    const isBundled = load.modelDir === this.options.bundledDir;
    // That one is the last resort, and the status bar says what is wrong with it.
    if (isBundled && !kept) return;
    this.refusedLoad = load;
    if (!kept) this.options.worker.start(this.loadOf(this.options.bundledDir));
    this.complain(`lckv.model: ${message}`, () => this.retry());
  }

  /** Downloads a model if the user agrees; true when it is there. */
  download(id: string): Promise<boolean> {
    const running = this.downloads.get(id);
    if (running) return running;
    const download = this.obtain(id).finally(() => this.downloads.delete(id));
    this.downloads.set(id, download);
    return download;
  }

  private loadOf(modelDir: string): Load {
    const settings = this.options.settings();
    return {
      modelDir,
      contextTokens: settings.contextTokens || null,
      adapter: settings.adapter || null,
      powerPreference: settings.powerPreference,
      precision: settings.precision,
      cacheBytes: settings.cacheMemoryMiB * 2 ** 20 || null,
      tuningFile: this.options.tuningFile ?? null,
    };
  }

  private serve(load: Load): void {
    if (JSON.stringify(load) === JSON.stringify(this.refusedLoad)) return this.keepServing();
    this.refusedLoad = this.currentProblem = undefined;
    this.options.worker.start(load);
  }

  private keepServing(): void {
    const { worker, bundledDir } = this.options;
    if (worker.state.kind === 'stopped') worker.start(this.loadOf(bundledDir));
  }

  private complain(message: string, tryAgain?: () => void): void {
    this.currentProblem = `${message} ${this.servingInstead()}`;
    this.options.ui.warn(this.currentProblem, tryAgain);
  }

  private servingInstead(): string {
    const { state } = this.options.worker;
    if (state.kind === 'ready') return t('{0} goes on serving.', state.model.name);
    return t('The bundled model serves instead.');
  }

  /** Asks once whether to get a model; a "no" holds until the setting changes again. */
  private async offer(id: string, isStarting: boolean): Promise<void> {
    const absent = t('lckv.model: {0} is not on this machine.', id);
    this.currentProblem = `${absent} ${this.servingInstead()}`;
    if (isStarting && this.declined().includes(id)) return;
    if (await this.options.ui.askLookUp(id)) await this.download(id);
    else await this.decline(id);
  }

  private async obtain(id: string): Promise<boolean> {
    const { store, ui, openHub = () => new Hub() } = this.options;
    try {
      if (!store.has(id)) {
        const hub = openHub();
        const repository = await ui.withProgress(t('Looking up {0}', id), (signal) =>
          hub.lookUp(id, signal),
        );
        if (!(await ui.askDownload(repository, await store.freeBytes()))) {
          await this.decline(id);
          return false;
        }
        await ui.withProgress(t('Downloading {0}', id), (signal, report) =>
          installModel(hub, store, repository, signal, report),
        );
      }
    } catch (error) {
      const message = phrase(sentenceOf(error), t);
      if ((error as Error).name !== 'AbortError')
        this.complain(message, () => void this.download(id));
      return false;
    }
    this.apply();
    return true;
  }

  private declined(): string[] {
    const value = this.options.memory.get(DECLINED);
    return Array.isArray(value) ? value.filter((id) => typeof id === 'string') : [];
  }

  private async decline(id: string): Promise<void> {
    await this.options.memory.update(DECLINED, [...new Set([...this.declined(), id])]);
  }
}
