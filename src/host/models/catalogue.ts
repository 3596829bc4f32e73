// The models that the extension knows by name.
import entries from '../../../models/catalogue.json';

/** A model of the hub that is known to run. */
export interface CatalogueEntry {
  /** `owner/name`; the name alone is its name in the settings. */
  id: string;
  /** What it is, in one line. */
  summary: string;
  /** About; the hub is asked for the true size before anything is downloaded. */
  sizeBytes: number;
  /** Null where its page states none. */
  licence: string | null;
}

/** Every known model, the most useful first. */
export const CATALOGUE: readonly CatalogueEntry[] = entries;

/** The part of a repository id that names the model. */
export function nameOf(id: string): string {
  return id.slice(id.indexOf('/') + 1);
}
