// What the setting `lckv.model` means. Knows no editor and asks nobody.
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { t } from '@vscode/l10n';
import { REPOSITORY_ID } from '../../hub/repository';
import { CATALOGUE, nameOf } from './catalogue';

/** A model folder, a model of the hub that is not on this machine, or what is wrong. */
export type Selection =
  | { kind: 'folder'; dir: string }
  | { kind: 'absent'; id: string }
  | { kind: 'wrong'; message: string };

/** Where models may be. */
export interface ModelPlaces {
  bundledDir: string;
  /** The folder of a downloaded repository, or null. */
  downloaded(id: string): string | null;
}

/** Reads a value of `lckv.model`. */
export function selectModel(value: string, places: ModelPlaces): Selection {
  if (value === 'bundled') return { kind: 'folder', dir: places.bundledDir };
  const local = value.replace(/^~(?=[\\/]|$)/, homedir());
  if (isAbsolute(local)) return { kind: 'folder', dir: join(local) };
  const id = CATALOGUE.find((entry) => nameOf(entry.id) === value)?.id ?? value;
  if (REPOSITORY_ID.test(id)) {
    const dir = places.downloaded(id);
    return dir ? { kind: 'folder', dir } : { kind: 'absent', id };
  }
  const names = CATALOGUE.map((entry) => nameOf(entry.id)).join(', ');
  return {
    kind: 'wrong',
    message: t(
      "lckv.model: found '{0}', expected 'bundled', a name of the catalogue ({1}), a Hugging Face repository like owner/name, or the full path of a model folder.",
      value,
      names,
    ),
  };
}
