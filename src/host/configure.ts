// Changes settings on behalf of the user, where they are set already.
import * as vscode from 'vscode';
import { isLanguageOn } from './suggest/gate';
import { SETTINGS } from './settings';

/** Turns completion on or off. */
export function setEnabled(enabled: boolean): Thenable<void> {
  return update('enabled', enabled);
}

/** Chooses a model, by any value that `lckv.model` takes. */
export function setModel(model: string): Thenable<void> {
  return update('model', model);
}

/** Turns completion on where it is off for a language, and off where it is on. */
export function toggleLanguage(language: string): Thenable<void> {
  const lckv = vscode.workspace.getConfiguration('lckv');
  const isOn = isLanguageOn(SETTINGS.languages.from(lckv.get('languages')), language);
  const set = lckv.inspect<Record<string, boolean>>('languages');
  return update('languages', { ...(set?.workspaceValue ?? set?.globalValue), [language]: !isOn });
}

/** Writes to the workspace if it has a value of its own, or else for the user. */
function update(name: string, value: unknown): Thenable<void> {
  const lckv = vscode.workspace.getConfiguration('lckv');
  const isWorkspace = lckv.inspect(name)?.workspaceValue !== undefined;
  const { Global, Workspace } = vscode.ConfigurationTarget;
  return lckv.update(name, value, isWorkspace ? Workspace : Global);
}
