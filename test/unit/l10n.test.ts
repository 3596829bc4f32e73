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

function translatedByHost(): Set<string> {
  const files = readdirSync('src/host', { recursive: true, encoding: 'utf8' });
  const sources = files.filter((name) => name.endsWith('.ts'));
  return new Set(
    sources.flatMap((name) => translated(name, readFileSync(join('src/host', name), 'utf8'))),
  );
}

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

  it('notices a text that is not a literal', () => {
    assert.deepEqual(translated('a.ts', "t('a {0}', b); vscode.l10n.t('c')"), ['a {0}', 'c']);
    assert.throws(() => translated('a.ts', 't(`a ${b}`)'), /not a literal/);
  });
});
