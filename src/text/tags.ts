// Tags of markup that a piece of text opens and closes.

const MARKUP = /^(?:html|xml|vue|svelte|astro|handlebars|php|typescriptreact|javascriptreact)$/;
const TAG = /<(\/?)([A-Za-z][\w.:-]*)?((?:"[^"]*"|'[^']*'|\{[^}]*\}|=>|[^<>"'{])*)>/g;
const VOID = /^(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)$/i;

/** The language has tags. */
export const hasTags = (language: string) => MARKUP.test(language);

/** The name of the tag that a line ends with, if that one opens an element; '' of a fragment. */
export function openedTag(line: string): string | undefined {
  const last = [...line.matchAll(TAG)].at(-1);
  if (!last || last.index + last[0].length < line.trimEnd().length) return undefined;
  const [, slash, name = '', rest] = last;
  return slash || rest.endsWith('/') || VOID.test(name) ? undefined : name;
}

/** Where the first end tag stands whose element the text has not begun; -1 if there is none. */
export function lonelyEndTag(text: string): number {
  return elements(text).lonely[0]?.index ?? -1;
}

/** The document begins more elements of this name than it ends. */
export function lacksEndTag(name: string, before: string, after: string): boolean {
  const of = (names: readonly string[]) => names.filter((other) => other === name).length;
  return of(elements(before).open) > of(elements(after).lonely.map(({ name }) => name));
}

/** The text begins an element that this end tag, on a line of its own, ends. */
export function beginsElement(text: string, endTag: string): boolean {
  const name = /^\s*<\/([\w.:-]*)/.exec(endTag)?.[1];
  return name !== undefined && elements(text).open.includes(name);
}

/** What a text begins and does not end, outermost first, and what it ends and has not begun. */
function elements(text: string): { open: string[]; lonely: { name: string; index: number }[] } {
  const open: string[] = [];
  const lonely: { name: string; index: number }[] = [];
  for (const { index, 1: slash, 2: name = '', 3: rest } of text.matchAll(TAG)) {
    if (rest.endsWith('/') || VOID.test(name)) continue;
    if (!slash) open.push(name);
    else if (open.includes(name)) open.length = open.lastIndexOf(name);
    else lonely.push({ name, index });
  }
  return { open, lonely };
}
