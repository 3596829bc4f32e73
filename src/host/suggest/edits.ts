// What an edit says about suggesting: after some, nobody wants one. Knows no editor.

/** Typing, pasting, accepting; or taking text away; or undo and redo. */
export type EditKind = 'written' | 'deleted' | 'undone';

/** One stretch of text that an edit has replaced, as VS Code tells it. */
export interface Change {
  rangeLength: number;
  text: string;
}

/** The kind of an edit; `isUndo` where the editor says that it was an undo or redo. */
export function editKind(changes: readonly Change[], isUndo: boolean): EditKind {
  if (isUndo) return 'undone';
  return changes.every(({ text }) => text === '') ? 'deleted' : 'written';
}

/** How far into a single change the cursor is: a bracket that the editor closed is behind it. */
export function typedLength({ text }: Change): number {
  return /^(\(\)|\[\]|\{\}|<>|""|''|``)$/.test(text) ? 1 : text.length;
}
