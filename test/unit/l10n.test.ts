import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

type Texts = Record<string, string>;

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Texts;
const placeholders = (text: string) => (text.match(/\{\d+\}/g) ?? []).sort().join(' ');

/** The texts that a file has translated: first arguments of `t` and `vscode.l10n.t`. */
function translated(name: string, source: string): string[] {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isCallExpression(node) && /^(vscode\.l10n\.)?t$/.test(node.expression.getText(file))) {
      const [text] = node.arguments;
      assert.ok(ts.isStringLiteralLike(text), `${name}: ${node.getText(file)} is not a literal`);
      found.push(text.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** Words between blanks, or one that begins like a label. */
const PROSE = /[A-Za-z]{2,} [a-z]{2,}|^[A-Z][a-z]+…?$/;
/** Where English is right: what is translated, logged, or no text at all. */
const NOT_SHOWN = /^(vscode\.l10n\.)?t$|(^|\.)(log|options\.log|parts\.log)(\.\w+)?$/;
/** Nobody reads these as texts: names of languages and of the system, code, a command without a place. */
const UNREAD = /^(generate\/comment|views\/benchmark|suggest\/power|sample)\.ts$/;
const UNREAD_TEXTS = ['Count an accepted suggestion'];

/** Texts of a file that look like English for people and are not translated. */
function untranslated(name: string, source: string): string[] {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const note = (text: string) => {
    if (PROSE.test(text) && !UNREAD_TEXTS.includes(text)) found.push(text);
  };
  const visit = (node: ts.Node) => {
    if (ts.isImportDeclaration(node) || ts.isTypeNode(node)) return;
    if (ts.isCallExpression(node) && NOT_SHOWN.test(node.expression.getText(file))) return;
    if (ts.isTaggedTemplateExpression(node) && node.tag.getText(file) === 'html') {
      const { template } = node;
      const spans = ts.isTemplateExpression(template) ? template.templateSpans : [];
      const fixed = ts.isTemplateExpression(template) ? template.head.text : template.text;
      const page = [fixed, ...spans.map(({ literal }) => literal.text)].join('0');
      note(page.replace(/<[^<>]*>/g, '|').replaceAll('\n', ''));
      spans.forEach(({ expression }) => visit(expression));
      return;
    }
    if (ts.isStringLiteralLike(node)) note(node.text);
    if (ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) note(node.text.trim());
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function hostSources(): [string, string][] {
  const files = readdirSync('src/host', { recursive: true, encoding: 'utf8' });
  return files
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [name.replaceAll('\\', '/'), readFileSync(join('src/host', name), 'utf8')]);
}

const translatedByHost = () => new Set(hostSources().flatMap((file) => translated(...file)));

describe('translations into German', () => {
  it('has every text of the extension, and none that is gone', () => {
    const german = readJson('l10n/bundle.l10n.de.json');
    assert.deepEqual(Object.keys(german).sort(), [...translatedByHost()].sort());
    for (const [text, own] of Object.entries(german))
      assert.equal(placeholders(own), placeholders(text), text);
  });

  it('has every text of the manifest, and none that is gone', () => {
    const used = [...readFileSync('package.json', 'utf8').matchAll(/"%([^"%]+)%"/g)];
    const keys = used.map(([, key]) => key).sort();
    assert.ok(keys.length > 50);
    const [english, german] = [readJson('package.nls.json'), readJson('package.nls.de.json')];
    assert.deepEqual(Object.keys(english).sort(), keys);
    assert.deepEqual(Object.keys(german).sort(), keys);
    const links = (text: string) => text.match(/\(command:[\w.]+\)|`[^`]+`/g)?.sort();
    for (const key of keys) assert.deepEqual(links(german[key]), links(english[key]), key);
  });

  it('leaves no text of the manifest in plain words', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { contributes: object };
    JSON.stringify(manifest.contributes, (name, value: unknown) => {
      const isText = /^(title|description|markdownDescription)$/.test(name);
      if (isText) assert.match(String(value), /^%.+%$/);
      if (name === 'markdownEnumDescriptions')
        for (const text of value as string[]) assert.match(text, /^%.+%$/);
      return value;
    });
  });

  it('leaves no text of the extension in plain words', () => {
    const left = hostSources()
      .filter(([name]) => !UNREAD.test(name))
      .flatMap(([name, source]) => untranslated(name, source).map((text) => `${name}: ${text}`));
    assert.deepEqual(left, []);
  });

  it('notices plain words', () => {
    const source = `
      import a from 'some words here';
      const kind: 'no words here' = b;
      log.info('logged words here');
      show(t('good words'), 'bad words', \`\${c} more of them\`, html\`<p class="x">in the page</p>\`);
      const button = 'Remove';`;
    const expected = ['bad words', 'more of them', '|in the page|', 'Remove'];
    assert.deepEqual(untranslated('a.ts', source), expected);
  });

  it('notices a text that is not a literal', () => {
    assert.deepEqual(translated('a.ts', "t('a {0}', b); vscode.l10n.t('c')"), ['a {0}', 'c']);
    assert.throws(() => translated('a.ts', 't(`a ${b}`)'), /not a literal/);
  });
});
