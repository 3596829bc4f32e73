// Entry point of the extension: builds the parts and ties them to settings and commands.
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { Timings } from '../protocol';
import { WorkerClient, type Load } from './client';
import { InlineProvider } from './inline';
import { readSettings } from './settings';
import { describeStatus, type Status } from './status';
import { Suggester } from './suggester';

/** What `activate` returns, for tests and for the curious. */
export interface Api {
  status(): Status;
  /** Timings of the last completion. */
  lastTimings(): Timings | undefined;
  /** Process id of the inference worker. */
  workerPid(): number | undefined;
}

/** Called by VS Code once, after start-up. */
export function activate(context: vscode.ExtensionContext): Api {
  const log = vscode.window.createOutputChannel('LCKV', { log: true });
  const settings = () =>
    readSettings((name) => vscode.workspace.getConfiguration('lckv').get(name));

  const item = vscode.window.createStatusBarItem('lckv', vscode.StatusBarAlignment.Right, 100);
  item.name = 'LCKV completion';
  const worker = new WorkerClient({
    script: context.asAbsolutePath(join('dist', 'worker.mjs')),
    log: (line) => log.info(line),
    onChange: () => showStatus(item, status(), worker.timings),
  });
  const status = (): Status => {
    const { state } = worker;
    if (state.kind === 'stopped') return { kind: 'off' };
    return worker.busy && state.kind === 'ready' ? { kind: 'thinking', ready: state } : state;
  };

  const load = (): Load => {
    const { model, contextTokens, adapter } = settings();
    const bundled = context.asAbsolutePath(join('models', 'lckv-code-42m'));
    return {
      modelDir: model === 'bundled' ? bundled : model.replace(/^~(?=[\\/])/, homedir()),
      contextTokens: contextTokens || null,
      adapter: adapter || null,
    };
  };
  const applySettings = () => (settings().enabled ? worker.start(load()) : worker.stop());

  const suggester = new Suggester(async (request, signal) => {
    try {
      const completion = await worker.complete(request, signal);
      if (completion) log.debug('completion', JSON.stringify(completion));
      return completion?.text;
    } catch (error) {
      log.error('no completion:', error);
      return undefined;
    }
  }, settings);

  const commands: Record<string, () => unknown> = {
    'lckv.enable': () => setEnabled(true),
    'lckv.disable': () => setEnabled(false),
    'lckv.toggle': () => setEnabled(!settings().enabled),
    'lckv.restartWorker': () => worker.restart(),
    'lckv.showLog': () => log.show(),
  };
  context.subscriptions.push(
    { dispose: () => worker.stop() },
    item,
    log,
    ...Object.entries(commands).map(([id, run]) => vscode.commands.registerCommand(id, run)),
    vscode.languages.registerInlineCompletionItemProvider(
      { pattern: '**' },
      new InlineProvider(suggester, settings),
    ),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('lckv')) applySettings();
    }),
  );
  showStatus(item, status());
  item.show();
  applySettings();
  return { status, lastTimings: () => worker.timings, workerPid: () => worker.pid };
}

/** Where the setting has a value already: in the workspace, or else for the user. */
function setEnabled(enabled: boolean): Thenable<void> {
  const lckv = vscode.workspace.getConfiguration('lckv');
  const isWorkspace = lckv.inspect('enabled')?.workspaceValue !== undefined;
  const { Global, Workspace } = vscode.ConfigurationTarget;
  return lckv.update('enabled', enabled, isWorkspace ? Workspace : Global);
}

function showStatus(item: vscode.StatusBarItem, status: Status, timings?: Timings): void {
  const { text, tooltip, label, command } = describeStatus(status, timings);
  item.text = text;
  item.tooltip = new vscode.MarkdownString(tooltip);
  item.tooltip.isTrusted = { enabledCommands: LINKED_COMMANDS };
  item.command = command;
  item.accessibilityInformation = { label, role: 'button' };
  item.backgroundColor =
    status.kind === 'failed' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
}

const LINKED_COMMANDS = ['lckv.enable', 'lckv.disable', 'lckv.restartWorker', 'lckv.showLog'];
