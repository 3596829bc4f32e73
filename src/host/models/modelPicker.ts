// The commands to choose, download and remove models, as quick picks.
import { homedir } from 'node:os';
import { t } from '@vscode/l10n';
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
  const mark = (...names: string[]) => (names.includes(chosen) ? t('in the settings') : '');
  const items: Item[] = [
    {
      label: '$(package) bundled',
      description: mark('bundled'),
      detail: t('The small model for code that comes with the extension'),
      choose: () => setModel('bundled'),
    },
    ...stored.map(({ id, sizeBytes }) => ({
      label: `$(check) ${id}`,
      description: [bytesText(sizeBytes), mark(id, nameOf(id))].filter(Boolean).join(', '),
      detail: CATALOGUE.find((entry) => entry.id === id)?.summary,
      choose: () => setModel(id),
    })),
    { label: t('To download'), kind: vscode.QuickPickItemKind.Separator },
    ...offered(stored).map((entry) => ({
      ...describe(entry),
      choose: () => downloadAndUse(entry.id, parts),
    })),
    { label: t('Other'), kind: vscode.QuickPickItemKind.Separator },
    { label: `$(folder) ${t('Choose a folder…')}`, choose: pickFolder },
    another(parts),
  ];
  await choose(items, t('The model that completes your code'));
}

/** Lets the user download a model of the catalogue or any other, and then use it. */
export async function pickDownload(parts: PickerParts): Promise<void> {
  const stored = (await parts.store.list()).filter(({ kind }) => kind === 'model');
  const items: Item[] = [
    ...offered(stored).map((entry) => ({
      ...describe(entry),
      choose: () => downloadAndUse(entry.id, parts),
    })),
    another(parts),
  ];
  await choose(items, t('Size and licence are shown before anything is downloaded'));
}

/** Shows what the downloads take up and lets the user remove them. */
export async function manageModels(parts: PickerParts): Promise<void> {
  const stored = await parts.store.list();
  const total = stored.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const items: Item[] = stored.map((model) => ({
    label: `$(trash) ${model.id}`,
    description: [bytesText(model.sizeBytes), kindText(model.kind)].filter(Boolean).join(', '),
    detail: model.dir,
    choose: () => removeModel(model, parts),
  }));
  if (items.length === 0) items.push({ label: t('No model was downloaded.') });
  items.push({ label: `$(cloud-download) ${t('Download…')}`, choose: () => pickDownload(parts) });
  await choose(items, t('Downloaded models: {0}. Choose one to remove it', bytesText(total)));
}

function kindText(kind: StoredModel['kind']): string {
  if (kind === 'partial') return t('unfinished download');
  return kind === 'refused' ? t('refused because of wrong bytes') : '';
}

function another(parts: PickerParts): Item {
  const label = `$(cloud-download) ${t('Another repository…')}`;
  return { label, choose: () => askRepository(parts) };
}

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
    description: `${bytesText(sizeBytes)}, ${t('licence: {0}', licence ?? t('none stated'))}`,
    detail: summary,
  };
}

async function downloadAndUse(id: string, parts: PickerParts): Promise<void> {
  if (await parts.download(id)) await setModel(id);
}

async function askRepository(parts: PickerParts): Promise<void> {
  const id = await vscode.window.showInputBox({
    prompt: t('A Hugging Face repository with a Llama or LCKV model'),
    placeHolder: 'owner/name',
    validateInput: (text) =>
      REPOSITORY_ID.test(text.trim()) ? undefined : t('Expected owner/name, as in its address.'),
  });
  if (id) await downloadAndUse(id.trim(), parts);
}

async function pickFolder(): Promise<void> {
  const [folder] =
    (await vscode.window.showOpenDialog({
      canSelectFolders: true,
      canSelectFiles: false,
      defaultUri: vscode.Uri.file(homedir()),
      openLabel: t('Use This Model'),
    })) ?? [];
  if (folder) await setModel(folder.fsPath);
}

async function removeModel(model: StoredModel, parts: PickerParts): Promise<void> {
  if (model.dir === parts.servedDir()) {
    const hint = t('LCKV: {0} is in use. Select another model before you remove it.', model.id);
    return void vscode.window.showInformationMessage(hint);
  }
  const question = t('Remove {0} and free {1}?', model.id, bytesText(model.sizeBytes));
  const options = { modal: true, detail: model.dir };
  const answer = await vscode.window.showWarningMessage(question, options, t('Remove'));
  if (answer) await parts.store.remove(model);
}
