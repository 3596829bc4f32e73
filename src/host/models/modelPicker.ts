// The commands to choose, download and remove models, as quick picks.
import { homedir } from 'node:os';
import * as vscode from 'vscode';
import { REPOSITORY_ID } from '../../hub/repository';
import type { ModelStore, StoredModel } from '../../hub/store';
import { CATALOGUE, nameOf, type CatalogueEntry } from './catalogue';
import { setModel } from '../configure';
import { bytesText } from '../quantity';

/** What the commands work on. */
export interface PickerParts {
  store: ModelStore;
  /** The value of the setting. */
  chosen(): string;
  /** The folder of the model in use. */
  servedDir(): string | undefined;
  /** Downloads a model if the user agrees; true when it is there. */
  download(id: string): Promise<boolean>;
}

type Item = vscode.QuickPickItem & { choose?: () => unknown };

/** Lets the user choose among all models that there are or could be. */
export async function pickModel(parts: PickerParts): Promise<void> {
  const stored = (await parts.store.list()).filter(({ kind }) => kind === 'model');
  const chosen = parts.chosen();
  const mark = (...names: string[]) => (names.includes(chosen) ? 'in the settings' : '');
  const items: Item[] = [
    {
      label: '$(package) bundled',
      description: mark('bundled'),
      detail: 'The small model for code that comes with the extension',
      choose: () => setModel('bundled'),
    },
    ...stored.map(({ id, sizeBytes }) => ({
      label: `$(check) ${id}`,
      description: [bytesText(sizeBytes), mark(id, nameOf(id))].filter(Boolean).join(', '),
      detail: CATALOGUE.find((entry) => entry.id === id)?.summary,
      choose: () => setModel(id),
    })),
    { label: 'To download', kind: vscode.QuickPickItemKind.Separator },
    ...offered(stored).map((entry) => ({
      ...describe(entry),
      choose: () => downloadAndUse(entry.id, parts),
    })),
    { label: 'Other', kind: vscode.QuickPickItemKind.Separator },
    { label: '$(folder) Choose a folder…', choose: pickFolder },
    { label: '$(cloud-download) Another repository…', choose: () => askRepository(parts) },
  ];
  await choose(items, 'The model that completes your code');
}

/** Lets the user download a model of the catalogue or any other, and then use it. */
export async function pickDownload(parts: PickerParts): Promise<void> {
  const stored = (await parts.store.list()).filter(({ kind }) => kind === 'model');
  const items: Item[] = [
    ...offered(stored).map((entry) => ({
      ...describe(entry),
      choose: () => downloadAndUse(entry.id, parts),
    })),
    { label: '$(cloud-download) Another repository…', choose: () => askRepository(parts) },
  ];
  await choose(items, 'Size and licence are shown before anything is downloaded');
}

/** Shows what the downloads take up and lets the user remove them. */
export async function manageModels(parts: PickerParts): Promise<void> {
  const stored = await parts.store.list();
  const total = stored.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const items: Item[] = stored.map((model) => ({
    label: `$(trash) ${model.id}`,
    description: `${bytesText(model.sizeBytes)}${KINDS[model.kind]}`,
    detail: model.dir,
    choose: () => removeModel(model, parts),
  }));
  if (items.length === 0) items.push({ label: 'No model was downloaded.' });
  items.push({ label: '$(cloud-download) Download…', choose: () => pickDownload(parts) });
  await choose(items, `Downloaded models: ${bytesText(total)}. Choose one to remove it`);
}

const KINDS: Record<StoredModel['kind'], string> = {
  model: '',
  partial: ', unfinished download',
  refused: ', refused because of wrong bytes',
};

async function choose(items: Item[], placeHolder: string): Promise<void> {
  const options = { placeHolder, matchOnDescription: true, matchOnDetail: true };
  const item = await vscode.window.showQuickPick(items, options);
  await item?.choose?.();
}

/** What the catalogue has besides the models that are there. */
function offered(stored: readonly StoredModel[]): CatalogueEntry[] {
  return CATALOGUE.filter((entry) => !stored.some(({ id }) => id === entry.id));
}

function describe({ id, summary, sizeBytes, licence }: CatalogueEntry): Item {
  return {
    label: `$(cloud-download) ${nameOf(id)}`,
    description: `${bytesText(sizeBytes)}, licence: ${licence ?? 'none stated'}`,
    detail: summary,
  };
}

async function downloadAndUse(id: string, parts: PickerParts): Promise<void> {
  if (await parts.download(id)) await setModel(id);
}

async function askRepository(parts: PickerParts): Promise<void> {
  const id = await vscode.window.showInputBox({
    prompt: 'A Hugging Face repository with a Llama or LCKV model',
    placeHolder: 'owner/name',
    validateInput: (text) =>
      REPOSITORY_ID.test(text.trim()) ? undefined : 'Expected owner/name, as in its address.',
  });
  if (id) await downloadAndUse(id.trim(), parts);
}

async function pickFolder(): Promise<void> {
  const [folder] =
    (await vscode.window.showOpenDialog({
      canSelectFolders: true,
      canSelectFiles: false,
      defaultUri: vscode.Uri.file(homedir()),
      openLabel: 'Use This Model',
    })) ?? [];
  if (folder) await setModel(folder.fsPath);
}

async function removeModel(model: StoredModel, parts: PickerParts): Promise<void> {
  if (model.dir === parts.servedDir()) {
    const hint = `LCKV: ${model.id} is in use. Select another model before you remove it.`;
    return void vscode.window.showInformationMessage(hint);
  }
  const question = `Remove ${model.id} and free ${bytesText(model.sizeBytes)}?`;
  const options = { modal: true, detail: model.dir };
  const answer = await vscode.window.showWarningMessage(question, options, 'Remove');
  if (answer) await parts.store.remove(model);
}
