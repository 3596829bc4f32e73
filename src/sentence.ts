/**
 * What people read, said where no editor is: English with places for names and numbers, so that the
 * host can say the same in another language. Imports nothing.
 */

/** What stands in a place of a sentence. */
export type Place = string | number | Sentence;

/** A template with places `{0}`, `{1}` and so on, and what stands in them. Plain data. */
export interface Sentence {
  template: string;
  places: readonly Place[];
}

/** A tag for template literals; l10n/ has each of them in the other languages. */
export function say(parts: TemplateStringsArray, ...places: Place[]): Sentence {
  return { template: parts.reduce((text, part, i) => `${text}{${i - 1}}${part}`), places };
}

/** What others have worded, as an operating system or a driver: the same in every language. */
export function quote(text: string): Sentence {
  return { template: '{0}', places: [text] };
}

/** Several sentences, one after another. */
export function join(...sentences: Sentence[]): Sentence {
  return { template: sentences.map((_, i) => `{${i}}`).join(' '), places: sentences };
}

/** The sentence through `translate`, which gets a template and what stands in its places. */
export function phrase(
  { template, places }: Sentence,
  translate: (template: string, ...places: (string | number)[]) => string,
): string {
  const texts = places.map((place) =>
    typeof place === 'object' ? phrase(place, translate) : place,
  );
  return translate(template, ...texts);
}

/** The sentence in English. */
export function english(sentence: Sentence): string {
  return phrase(sentence, (template, ...places) =>
    template.replace(/\{(\d+)\}/g, (_, place) => String(places[Number(place)])),
  );
}

/** An error that a user may see; its message is in English. */
export class Fault extends Error {
  readonly sentence: Sentence;

  constructor(sentence: Sentence, options?: ErrorOptions) {
    super(english(sentence), options);
    this.sentence = sentence;
  }
}

/** What an error says; one that is no Fault is quoted. */
export function sentenceOf(error: unknown): Sentence {
  if (error instanceof Fault) return error.sentence;
  return quote(error instanceof Error ? error.message : String(error));
}

/** Whether data that came from elsewhere is a sentence. */
export function isSentence(data: unknown): data is Sentence {
  if (typeof data !== 'object' || data === null) return false;
  const { template, places } = data as Partial<Record<keyof Sentence, unknown>>;
  const isPlace = (place: unknown) =>
    typeof place === 'string' || typeof place === 'number' || isSentence(place);
  return typeof template === 'string' && Array.isArray(places) && places.every(isPlace);
}
