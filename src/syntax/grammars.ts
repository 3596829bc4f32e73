// Which grammar parses which language, loaded when a document of it is first seen.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Language, Parser } from 'web-tree-sitter';

/** Grammar by VS Code's language id. C is read as C++: what blocks and comments are is the same. */
const GRAMMARS: Readonly<Record<string, string>> = {
  c: 'cpp',
  cpp: 'cpp',
  csharp: 'c-sharp',
  css: 'css',
  go: 'go',
  html: 'html',
  java: 'java',
  javascript: 'javascript',
  javascriptreact: 'javascript',
  php: 'php',
  powershell: 'powershell',
  python: 'python',
  ruby: 'ruby',
  rust: 'rust',
  shellscript: 'bash',
  typescript: 'typescript',
  typescriptreact: 'tsx',
};

/** The languages that have a grammar. */
export const LANGUAGES: readonly string[] = Object.keys(GRAMMARS);

/** The grammars in a folder of `.wasm` files. */
export class Grammars {
  private readonly dir: string;
  private started: Promise<void> | undefined;
  private readonly loading = new Map<string, Promise<void>>();
  private readonly languages = new Map<string, Language>();

  constructor(dir: string) {
    this.dir = dir;
  }

  /** A new parser of the language if its grammar is there; otherwise it is loaded for next time. */
  parser(language: string): Parser | undefined {
    const grammar = this.languages.get(GRAMMARS[language]);
    // A grammar that cannot be loaded is one that is not there: indentation serves then.
    if (!grammar) this.load(language).catch(() => {});
    return grammar && new Parser().setLanguage(grammar);
  }

  /** Resolves when the language's grammar is there, or has none; rejects with what is wrong with its file. */
  load(language: string): Promise<void> {
    const name = GRAMMARS[language];
    if (name === undefined) return Promise.resolve();
    const loading = this.loading.get(name) ?? this.open(name);
    this.loading.set(name, loading);
    return loading;
  }

  private async open(name: string): Promise<void> {
    this.started ??= Parser.init({ locateFile: (file: string) => join(this.dir, file) });
    await this.started;
    const grammar = await Language.load(await readFile(join(this.dir, `tree-sitter-${name}.wasm`)));
    this.languages.set(name, grammar);
  }
}
