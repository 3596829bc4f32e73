/** A cursor in a document, with all of its text and `\n` line ends. */
export interface Cursor {
  uri: string;
  /** VS Code language id. */
  language: string;
  before: string;
  after: string;
}

/** The text's last line. */
export const lineOf = (before: string) => before.slice(before.lastIndexOf('\n') + 1);
