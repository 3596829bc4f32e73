// A stretch of a document that keeps its place while the rest is edited. Knows no editor.

/** Offsets in UTF-16 units; the end is not part of it. */
export interface Stretch {
  start: number;
  end: number;
}

/** One edit, as VS Code tells it. */
export interface Edit {
  rangeOffset: number;
  rangeLength: number;
  text: string;
}

/** Where the stretch is after an edit; undefined when the edit touches it. */
export function moved({ start, end }: Stretch, edit: Edit): Stretch | undefined {
  const { rangeOffset, rangeLength, text } = edit;
  if (rangeOffset > end) return { start, end };
  if (rangeOffset + rangeLength >= start) return undefined;
  const by = text.length - rangeLength;
  return { start: start + by, end: end + by };
}
