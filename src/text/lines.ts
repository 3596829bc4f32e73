// What kind of line a line is, as far as its own text tells.
import { isClosers } from './window';

/** Words that end a block which some line above began. */
const END_WORD = /^\s*(?:[Ee]nd|fi|done|esac|endif|endfor|endwhile|endfunction)\b[\s;,.)]*$/;
const END_TAG = /^\s*(?:<\/[\w.:-]*>[\s;,)}]*)+$/;

/** Languages without blocks that indentation could end. */
const PROSE = new Set(['markdown', 'plaintext', 'latex', 'restructuredtext', 'sql', 'csv']);

const MARKDOWN = /^(?:markdown|mdx|plaintext|restructuredtext|latex|git-commit)$/;

/** Languages where a dot begins a rule. */
const STYLES = new Set(['css', 'scss', 'less']);

const CONTINUATION =
  /^\s*(?:[\])}.?:|&+*{]|<\/|->|(?:else|elif|elsif|elseif|catch|except|finally|rescue|ensure|case|default|when|while|until|and|or|then|do|where|with|from|public|private|protected)\b)/;

const COMMENT = /^\s*(?:\/\/|\/\*|\*|--|<!--|#(?!\s*(?:include|define|pragma)\b))/;

const DIRECTIVE =
  /^(?:\s*#\s*(?:if|ifdef|ifndef|else|elif|endif|define|undef|include|pragma)\b|\w+:$)/;

/** The line only ends what began before it: brackets, tags, words like `end`. */
export const isClosing = (line: string) =>
  isClosers(line) || END_WORD.test(line) || END_TAG.test(line);

/** The line goes on with the statement of a line above, as `else` does. */
export const isContinuation = (line: string, language: string) =>
  STYLES.has(language) ? /^\s*[\])}]/.test(line) : CONTINUATION.test(line);

/** The line says nothing about where a block ends: comments, labels, the preprocessor's lines. */
export const isBesideCode = (line: string, language: string) =>
  COMMENT.test(line) ||
  (/^(?:c|cpp|csharp|objective-c|go)$/.test(language) && DIRECTIVE.test(line));

/** The line ends as one that opens a block or goes on below. */
export const opensBlock = (line: string) =>
  /(?:[{([:\\]|=>?|->|\b(?:then|do|begin))\s*$/.test(line);

/** The language is prose or the like: indentation means nothing there. */
export const isProse = (language: string) => PROSE.has(language);

/** The language is text in which code may stand between fences. */
export const isMarkdown = (language: string) => MARKDOWN.test(language);
