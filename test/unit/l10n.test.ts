import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { config, t } from '@vscode/l10n';
import ts from 'typescript';
import { parseConfig } from '../../src/model/config';
import { english, phrase, sentenceOf } from '../../src/sentence';

type Texts = Record<string, string>;

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Texts;
const placeholders = (text: string) => (text.match(/\{\d+\}/g) ?? []).sort().join(' ');

/** A template literal as `say` makes a template of it. */
function templateOf(literal: ts.TemplateLiteral): string {
  if (ts.isNoSubstitutionTemplateLiteral(literal)) return literal.text;
  const spans = literal.templateSpans.map((span, i) => `{${i}}${span.literal.text}`);
  return [literal.head.text, ...spans].join('');
}

const isSaid = (node: ts.Node, file: ts.SourceFile): node is ts.TaggedTemplateExpression =>
  ts.isTaggedTemplateExpression(node) && node.tag.getText(file) === 'say';

/** The texts that a file has translated: arguments of `t` and `vscode.l10n.t`, literals of `say`. */
function translated(name: string, source: string): string[] {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isCallExpression(node) && /^(vscode\.l10n\.)?t$/.test(node.expression.getText(file))) {
      const [text] = node.arguments;
      assert.ok(ts.isStringLiteralLike(text), `${name}: ${node.getText(file)} is not a literal`);
      found.push(text.text);
    }
    if (isSaid(node, file)) found.push(templateOf(node.template));
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

/** Where an error is a caller's mistake that no user can make. */
const INTERNAL = /^(engine\/(engine|token)|model\/prompt|worker\/(main|message))\.ts$/;

/** Plain words in the errors that a file makes. */
function plainErrors(name: string, source: string): string[] {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const inError = (node: ts.Node): void => {
    if (isSaid(node, file)) return void node.template.forEachChild(inError);
    if (ts.isStringLiteralLike(node) && PROSE.test(node.text)) found.push(node.text);
    if (ts.isTemplateExpression(node)) {
      const words = templateOf(node);
      if (PROSE.test(words)) found.push(words);
    }
    ts.forEachChild(node, inError);
  };
  const visit = (node: ts.Node) => {
    const isError =
      (ts.isNewExpression(node) && ERROR.test(node.expression.getText(file))) ||
      (ts.isCallExpression(node) && /\.fault$/.test(node.expression.getText(file)));
    if (isError) node.arguments?.forEach(inError);
    else ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

const ERROR = /(Error|Fault|Refusal|Failure|WrongBytes)$/;

function sources(room: string): [string, string][] {
  const files = readdirSync(join('src', room), { recursive: true, encoding: 'utf8' });
  return files
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [name.replaceAll('\\', '/'), readFileSync(join('src', room, name), 'utf8')]);
}

const hostSources = () => sources('host');
/** Files of the rooms that know no editor, and so only say what the host translates. */
const otherSources = () =>
  ['model', 'engine', 'hub', 'worker'].flatMap((room) =>
    sources(room).map(([name, source]): [string, string] => [`${room}/${name}`, source]),
  );

const allTranslated = () =>
  new Set([...hostSources(), ...otherSources()].flatMap((file) => translated(...file)));

describe('translations into German', () => {
  it('has every text of the extension, and none that is gone', () => {
    const german = readJson('l10n/bundle.l10n.de.json');
    assert.deepEqual(Object.keys(german).sort(), [...allTranslated()].sort());
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

  it('leaves no error of the engine, the models and the hub in plain words', () => {
    const plain = otherSources()
      .filter(([name]) => !INTERNAL.test(name))
      .flatMap(([name, source]) => plainErrors(name, source).map((text) => `${name}: ${text}`));
    assert.deepEqual(plain, []);
  });

  it('says an error with all that it names in German', () => {
    const wrong = { model_type: 'llama', hidden_size: 8 };
    config({ contents: readJson('l10n/bundle.l10n.de.json') });
    try {
      parseConfig(wrong, 'config.json');
      assert.fail('it was taken');
    } catch (error) {
      assert.equal(
        phrase(sentenceOf(error), t),
        'config.json: intermediate_size: nichts gefunden, erwartet: eine ganze Zahl von 1 bis 262144.',
      );
      const unknown = sentenceOf(new Error('{0} broke'));
      assert.equal(phrase(unknown, t), '{0} broke');
      assert.equal(english(unknown), '{0} broke');
    } finally {
      config({ contents: {} });
    }
  });

  it('notices plain words in an error', () => {
    const source = `
      throw new Fault(say\`good \${n} words \${'not these'}\`, { cause });
      throw fields.fault('name', 'some words', say\`more words\`);
      throw new RangeError(\`\${n} tokens hold nothing\`);
      log('words of no error');`;
    const expected = ['not these', 'some words', '{0} tokens hold nothing'];
    assert.deepEqual(plainErrors('a.ts', source), expected);
    assert.deepEqual(translated('a.ts', source), ['good {0} words {1}', 'more words']);
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
