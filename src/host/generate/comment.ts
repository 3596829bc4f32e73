// An instruction as the model has seen instructions: a comment in the document's language.

/** What stands before a comment's text, and behind it where the comment must be closed. */
type Marks = readonly [string, string?];

const MARKS: readonly (readonly [Marks, string])[] = [
  [
    ['#'],
    'python ruby shellscript yaml toml perl perl6 r dockerfile dockercompose makefile elixir julia ' +
      'powershell coffeescript properties ignore nix tcl cmake gdscript crystal nim terraform',
  ],
  [['--'], 'sql lua haskell ada vhdl elm applescript'],
  [[';'], 'clojure lisp scheme racket ini asm'],
  [['%'], 'latex tex bibtex erlang matlab prolog'],
  [["'"], 'vb vbscript'],
  [['"'], 'viml vim'],
  [['rem'], 'bat'],
  [['<!--', '-->'], 'html xml xsl vue svelte markdown astro'],
  [['/*', '*/'], 'css'],
  [['(*', '*)'], 'ocaml fsharp pascal'],
];

const byLanguage = new Map(
  MARKS.flatMap(([marks, languages]) => languages.split(' ').map((id) => [id, marks] as const)),
);

/** One line of comment, by VS Code language id; line breaks in the text become blanks. */
export function commentLine(language: string, text: string): string {
  const [open, close] = byLanguage.get(language) ?? ['//'];
  const words = text.replace(/\s+/g, ' ').trim();
  return [open, words, close].filter(Boolean).join(' ');
}
