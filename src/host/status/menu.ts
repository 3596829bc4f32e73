// What a click on the status bar offers. Knows no editor.
import type { Status } from './status';

/** One line of the menu and the command that it runs. */
export interface MenuItem {
  label: string;
  detail?: string;
  command: string;
  argument?: unknown;
}

/** What the menu depends on. */
export interface MenuState {
  status: Status;
  /** The language at the cursor, if there is one, and whether suggestions come in it. */
  language: { id: string; isOn: boolean } | undefined;
  /** Why there was no suggestion, in words. */
  explanation: string;
}

/** The lines of the menu, most wanted first. */
export function menuItems({ status, language, explanation }: MenuState): MenuItem[] {
  if (status.kind === 'off')
    return [{ label: '$(play) Turn completion on', command: 'lckv.enable' }, LOG, SETTINGS];
  const items: MenuItem[] = [
    { label: '$(question) Why no suggestion?', detail: explanation, command: 'lckv.explain' },
  ];
  if (language)
    items.push({
      label: language.isOn
        ? `$(circle-slash) Turn off for ${language.id}`
        : `$(play) Turn on for ${language.id}`,
      command: 'lckv.toggleLanguage',
    });
  items.push(
    status.kind === 'paused'
      ? { label: '$(debug-continue) Resume', command: 'lckv.resume' }
      : { label: '$(debug-pause) Pause for 10 minutes', command: 'lckv.pause' },
    { label: '$(circle-slash) Turn completion off', command: 'lckv.disable' },
    { label: '$(debug-restart) Restart the inference worker', command: 'lckv.restartWorker' },
  );
  return [...items, MODEL, LOG, SETTINGS];
}

const MODEL: MenuItem = { label: '$(server) Select model…', command: 'lckv.selectModel' };
const LOG: MenuItem = { label: '$(output) Show log', command: 'lckv.showLog' };
const SETTINGS: MenuItem = {
  label: '$(gear) Settings',
  command: 'workbench.action.openSettings',
  argument: '@ext:lckv-code.lckv-code',
};
