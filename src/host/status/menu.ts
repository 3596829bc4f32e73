// What a click on the status bar offers. Knows no editor.
import { t } from '@vscode/l10n';
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
    return [
      { label: `$(play) ${t('Turn completion on')}`, command: 'lckv.enable' },
      logging(),
      setting(),
    ];
  const items: MenuItem[] = [
    {
      label: `$(question) ${t('Why no suggestion?')}`,
      detail: explanation,
      command: 'lckv.explain',
    },
  ];
  if (language)
    items.push({
      label: language.isOn
        ? `$(circle-slash) ${t('Turn off for {0}', language.id)}`
        : `$(play) ${t('Turn on for {0}', language.id)}`,
      command: 'lckv.toggleLanguage',
    });
  items.push(
    status.kind === 'paused'
      ? { label: `$(debug-continue) ${t('Resume')}`, command: 'lckv.resume' }
      : { label: `$(debug-pause) ${t('Pause for 10 minutes')}`, command: 'lckv.pause' },
    { label: `$(circle-slash) ${t('Turn completion off')}`, command: 'lckv.disable' },
    {
      label: `$(debug-restart) ${t('Restart the inference worker')}`,
      command: 'lckv.restartWorker',
    },
  );
  return [...items, selecting(), logging(), setting()];
}

const selecting = (): MenuItem => ({
  label: `$(server) ${t('Select model…')}`,
  command: 'lckv.selectModel',
});
const logging = (): MenuItem => ({ label: `$(output) ${t('Show log')}`, command: 'lckv.showLog' });
const setting = (): MenuItem => ({
  label: `$(gear) ${t('Settings')}`,
  command: 'workbench.action.openSettings',
  argument: '@ext:lckv-code.lckv-code',
});
