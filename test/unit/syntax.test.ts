import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TreeCursor } from 'web-tree-sitter';
import { seededRandom } from '../../src/engine/sample';
import { ParsedDocument } from '../../src/syntax/document';
import { extentOf } from '../../src/syntax/extent';
import { Grammars, LANGUAGES } from '../../src/syntax/grammars';
import { scopeOf, type Scope } from '../../src/syntax/scope';
import { Syntax } from '../../src/syntax/syntax';

const FOLDER = 'dist/grammars';

const cursorOf = (document: string, language: string) => {
  const [before, after] = document.split('¦');
  return { uri: 'file:///a', language, before, after };
};

/** Documents by language and by what their cursor stands in. */
const SCOPES: Record<string, [Scope, string][]> = {
  typescript: [
    ['comments', '// hello¦\nfoo();'],
    ['comments', 'foo(); // he¦'],
    ['comments', '/* a ¦ */ foo();'],
    ['code', '/* a */¦ foo();'],
    ['comments', '/**\n * Says ¦\n */\nfunction f() {}'],
    ['code', '// hello\n¦foo();'],
    ['strings', 'const s = "ab¦";'],
    ['strings', 'const s = "ab¦\nfoo();'],
    ['code', 'const s = "ab"¦;'],
    ['code', 'const s = ¦"ab";'],
    ['strings', 'const s = `a\n¦ b`;'],
    ['code', 'const s = `a ${b¦} c`;'],
    ['strings', 'const r = /a¦b/;'],
    ['code', 'const x = 1 / 2; y¦'],
  ],
  typescriptreact: [
    ['prose', 'const a = <p>hello ¦world</p>;'],
    ['code', 'const a = <p>{b¦}</p>;'],
    ['strings', 'const a = <p title="b¦">c</p>;'],
    ['code', 'const a = <p ¦>c</p>;'],
    ['comments', 'const a = <p>{/* b¦ */}</p>;'],
  ],
  python: [
    ['comments', 'x = 1  # one¦\n'],
    ['comments', 'def f():\n    """Says ¦"""\n'],
    ['comments', '"""Module ¦\ntext\n"""\nimport a\n'],
    ['strings', 's = "ab¦"\n'],
    ['strings', 's = "ab¦\nt = 1\n'],
    ['strings', 's = """a\n¦b"""\n'],
    ['code', 's = f"a {b¦} c"\n'],
    ['strings', 's = f"a {b} c¦"\n'],
    ['code', 'x = ¦\n'],
  ],
  go: [
    ['comments', '// F says¦\nfunc F() {}'],
    ['strings', 's := "a¦"'],
    ['strings', 's := `a\n¦b`'],
    ['code', 'x := a¦'],
  ],
  rust: [
    ['comments', '/// doc¦\nfn a() {}'],
    ['comments', '/* a¦ */'],
    ['strings', 'let s = "a¦";'],
    ['strings', 'let s = r#"a¦"#;'],
    ['code', "fn f<'a>(x: &'a¦ str) {}"],
  ],
  java: [
    ['comments', '/** Says ¦ */ class A {}'],
    ['strings', 'String s = "a¦";'],
    ['code', 'int a = ¦1;'],
  ],
  c: [
    ['comments', '/* a¦ */\nint x;'],
    ['strings', 'char *s = "a¦";'],
    ['code', 'int class_of(int x) { return x¦; }'],
  ],
  cpp: [
    ['comments', 'int x; // a¦'],
    ['strings', 'auto s = R"(a¦)";'],
  ],
  csharp: [
    ['strings', 'var s = $"a {b} c¦";'],
    ['code', 'var s = $"a {b¦}";'],
  ],
  css: [
    ['comments', '/* a¦ */'],
    ['strings', 'a { content: "b¦"; }'],
    ['code', 'a { color: ¦ }'],
  ],
  html: [
    ['prose', '<p>hello ¦</p>'],
    ['code', '<ul>\n  ¦\n</ul>'],
    ['strings', '<a href="b¦">c</a>'],
    ['comments', '<!-- a¦ -->'],
    ['code', '<script>var a¦</script>'],
  ],
  shellscript: [
    ['comments', '# a¦\n'],
    ['strings', 'echo "a ¦"'],
    ['code', 'echo "a $(b¦) c"'],
    ['strings', 'cat <<E\nab¦c\nE\n'],
  ],
  ruby: [
    ['comments', '# a¦\n'],
    ['strings', "x = 'a¦'"],
    ['code', 'x = "a #{b¦}"'],
  ],
  php: [
    ['comments', '<?php // a¦\n'],
    ['strings', '<?php $a = "b¦";'],
    ['prose', '<p>a¦b</p><?php f();'],
  ],
  powershell: [['comments', '# a¦\n']],
};

/** Documents by language and by how far a completion at their cursor should go. */
const EXTENTS: Record<string, ['line' | 'block', string][]> = {
  typescript: [
    ['block', 'function f() {¦}'],
    ['block', 'function f() {¦\n\nconst x = 1;\n'],
    ['block', 'function f() {\n  ¦\n}'],
    ['block', 'f(() => {¦});'],
    ['block', 'class A {¦'],
    ['block', 'const x = {¦};'],
    ['block', 'switch (a) {\n  case b:¦\n}'],
    ['block', '¦'],
    ['line', 'const x = ¦'],
    ['line', 'const x = ¦ + 1;'],
    ['line', 'import {¦} from "a";'],
    ['line', 'const {¦} = x;'],
    ['line', 'f(¦);'],
    ['line', 'const x: ¦'],
    ['line', 'const x:¦'],
    ['line', 'const x = { a:¦ };'],
    ['line', 'const s = `a ${¦}`;'],
    ['line', '// if (a) {¦'],
    ['line', 'const s = "{¦";'],
    ['line', '/*\n¦\n*/'],
    ['line', 'x = a =>¦'],
  ],
  typescriptreact: [
    ['line', 'const a = <p>{¦}</p>;'],
    ['block', 'const a = (\n  <p>\n    ¦\n  </p>\n);'],
  ],
  python: [
    ['block', 'def f():¦'],
    ['block', 'def f():\n    ¦\n'],
    ['block', 'if a:¦\n\nb()\n'],
    ['block', 'try:¦\n'],
    ['block', 'match a:\n    case 1:¦\n'],
    ['line', 'x = {"a":¦}'],
    ['line', 'y = d[1:¦]'],
    ['line', 'f = lambda x:¦'],
    ['line', 'x:¦'],
    ['line', '# if a:¦'],
  ],
  go: [
    ['block', 'func f() {¦\n}'],
    ['block', 'if err != nil {¦\n\treturn\n'],
    ['line', 'x := f(¦)'],
  ],
  rust: [
    ['block', 'fn f() {¦}'],
    ['block', 'match a {\n  b => {¦\n}'],
    ['line', 'use a::{¦};'],
  ],
  shellscript: [
    ['block', 'if a; then¦\nfi'],
    ['block', 'for i in a; do¦'],
    ['line', 'echo ${¦}'],
  ],
  ruby: [
    ['block', 'def a¦\nend'],
    ['block', 'a.each do |x|¦\nend'],
    ['line', 'a = b¦'],
  ],
  css: [
    ['block', 'a {¦}'],
    ['line', 'a {\n  color:¦\n}'],
  ],
  java: [['block', 'class A { void f() {¦} }']],
  json: [
    ['block', '{¦}'],
    ['line', '{"a":¦}'],
  ],
};

describe('syntax', () => {
  const syntax = new Syntax(FOLDER);
  before(() => Promise.all(LANGUAGES.map((language) => syntax.load(language))));
  after(() => syntax.dispose());

  for (const [language, cases] of Object.entries(SCOPES)) {
    for (const [scope, document] of cases) {
      it(`${language}: ${JSON.stringify(document)} is in ${scope}`, () =>
        assert.equal(syntax.scope(cursorOf(document, language)), scope));
    }
  }

  for (const [language, cases] of Object.entries(EXTENTS)) {
    for (const [extent, document] of cases) {
      it(`${language}: ${JSON.stringify(document)} asks for a ${extent}`, () =>
        assert.equal(syntax.extent(cursorOf(document, language)), extent));
    }
  }

  it('says the same of a line where there is no tree', () => {
    for (const [scope, document] of [
      ['comments', '-- a¦'],
      ['strings', "x = 'a¦'"],
      ['code', 'x = 1¦'],
    ])
      assert.equal(scopeOf(cursorOf(document, 'lua'), undefined), scope);
    assert.equal(extentOf(cursorOf('if a {¦', 'swift'), undefined), 'block');
    assert.equal(extentOf(cursorOf('x = f(¦', 'swift'), undefined), 'line');
  });

  it('answers at once while a grammar is not there, or cannot be loaded', async () => {
    const fresh = new Syntax(FOLDER);
    assert.equal(fresh.scope(cursorOf('// a¦', 'typescript')), 'comments');
    await fresh.load('typescript');
    assert.equal(fresh.scope(cursorOf('s = `\n¦`', 'typescript')), 'strings');
    fresh.dispose();
    const lacking = new Syntax('dist/none');
    await assert.rejects(lacking.load('go'), /dist\/none/);
    assert.equal(lacking.scope(cursorOf('// a¦', 'go')), 'comments');
  });
});

describe('ParsedDocument', () => {
  it('parses edits as it parses the whole, slices or not', async () => {
    const grammars = new Grammars(FOLDER);
    await grammars.load('typescript');
    const random = seededRandom(5);
    const pick = (most: number) => Math.floor(random() * most);
    const edited = new ParsedDocument(grammars.parser('typescript')!);
    const statements = [
      'a();',
      'const b = `c\n${d}`;',
      '// e',
      '',
      'if (f) {\n  g();\n}',
      'h = "😀";',
    ];
    const parts = Array.from({ length: 60 }, () => statements[pick(statements.length)]);
    for (let i = 0; i < 150; i++) {
      parts.splice(pick(parts.length), pick(3), statements[pick(statements.length)]);
      const text = parts.join('\n');
      const whole = new ParsedDocument(grammars.parser('typescript')!);
      // Now and then the next edit comes before the parse has ended.
      if (i % 3 === 0) edited.treeOf(text);
      else assert.deepEqual(await leaves(edited, text), await leaves(whole, text), `edit ${i}`);
      whole.dispose();
    }
    edited.dispose();
  });

  it('never takes long, and has a tree of a long text in the end', async () => {
    const grammars = new Grammars(FOLDER);
    await grammars.load('typescript');
    const document = new ParsedDocument(grammars.parser('typescript')!);
    const text = 'function f(a: number) {\n  return [a, { b: `${a}` }];\n}\n'.repeat(2000);
    assert.equal(document.treeOf(text), null);
    assert.equal((await leaves(document, text)).length, 48_000);
    document.dispose();
  });
});

/** Types and places of the smallest nodes, once the text is parsed. */
async function leaves(document: ParsedDocument, text: string): Promise<string[]> {
  for (;;) {
    const tree = document.treeOf(text);
    if (tree) return collect(tree.walk());
    await sleep(1);
  }
}

function collect(cursor: TreeCursor): string[] {
  const found: string[] = [];
  for (;;) {
    if (cursor.gotoFirstChild()) continue;
    found.push(`${cursor.nodeType} ${cursor.startIndex}`);
    while (!cursor.gotoNextSibling()) if (!cursor.gotoParent()) return found;
  }
}
