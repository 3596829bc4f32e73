// How much of an accepted suggestion is still there half a minute later. Knows no editor.

/** When to look, in milliseconds. */
const AFTER_MS = 30_000;
/** Longer suggestions are not compared, in words. */
const MAX_WORDS = 2000;

/** A stretch of a document that was inserted by a suggestion. */
interface Stretch {
  uri: string;
  accepted: string;
  offset: number;
  /** What has become of it. */
  text: string;
}

/** A change of a document, as VS Code tells it. */
export interface Edit {
  rangeOffset: number;
  rangeLength: number;
  text: string;
}

/** Follows what was accepted until it is measured. */
export class Kept {
  private readonly stretches = new Set<Stretch>();
  private readonly onMeasured: (keptCharacters: number, characters: number) => void;
  private readonly afterMs: number;

  constructor(onMeasured: Kept['onMeasured'], afterMs = AFTER_MS) {
    this.onMeasured = onMeasured;
    this.afterMs = afterMs;
  }

  /** Begins to follow a text that was inserted at an offset. */
  accepted(uri: string, offset: number, text: string): void {
    const stretch = { uri, accepted: text, offset, text };
    this.stretches.add(stretch);
    setTimeout(() => {
      this.stretches.delete(stretch);
      this.onMeasured(keptCharacters(text, stretch.text), text.length);
    }, this.afterMs).unref();
  }

  /** Takes notice of changes, each of the document as the one before has left it. */
  changed(uri: string, edits: readonly Edit[]): void {
    for (const stretch of this.stretches)
      if (stretch.uri === uri) for (const edit of edits) follow(stretch, edit);
  }
}

function follow(stretch: Stretch, { rangeOffset, rangeLength, text }: Edit): void {
  const [begin, end] = [rangeOffset - stretch.offset, rangeOffset + rangeLength - stretch.offset];
  if (begin >= stretch.text.length) return;
  if (end <= 0) {
    stretch.offset += text.length - rangeLength;
    return;
  }
  const rest = stretch.text.slice(end);
  if (begin >= 0) stretch.text = stretch.text.slice(0, begin) + text + rest;
  else {
    stretch.offset = rangeOffset + text.length;
    stretch.text = rest;
  }
}

/** Characters of the words and signs that both have in the same order. */
export function keptCharacters(accepted: string, now: string): number {
  const words = (text: string) => (text.match(/[\p{L}\p{N}_]+|\s+|./gu) ?? []).slice(0, MAX_WORDS);
  const [a, b] = [words(accepted), words(now)];
  let above = new Array<number>(b.length + 1).fill(0);
  for (const word of a) {
    const row = [0];
    b.forEach((other, j) => {
      const common = word === other ? above[j] + word.length : 0;
      row.push(Math.max(common, above[j + 1], row[j]));
    });
    above = row;
  }
  return above[b.length];
}
