// What the model sees of other files: declarations behind imports, alike passages, never secrets.
import { strict as assert } from 'node:assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { Api } from '../../src/host/main';
import { activate, open, run, settings, trigger, until } from './editor';
import { tinyFolder } from './tiny';

const { Global } = vscode.ConfigurationTarget;
const folder = vscode.workspace.workspaceFolders![0].uri;
const AREA =
  'export function hexagonArea(side: number): number {\n  return 2.598 * side * side;\n}\n';
const PAINT =
  "import { hexagonArea } from './hexagon';\n\nexport const litres = (side: number) => hexagonArea(side) / ";
let api: Api;

async function write(name: string, text: string): Promise<vscode.Uri> {
  const uri = vscode.Uri.joinPath(folder, name);
  await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
  return uri;
}

describe('LCKV and other files', () => {
  let root: string;
  let modelBefore: unknown;

  before(async () => {
    api = await activate();
    root = await mkdtemp(join(tmpdir(), 'lckv-vscode-'));
    modelBefore = settings().inspect('model')!.globalValue;
    const config = { lckv_prompt: { snippets: true }, max_position_embeddings: 2048 };
    await settings().update('contextTokens', 1200, Global);
    await settings().update('model', await tinyFolder(root, 'reader', config), Global);
    const isServed = () => {
      const status = api.status();
      return status.kind === 'ready' && status.model.snippets;
    };
    await until(isServed, 'a model that was trained with snippets', 60_000);
  });

  after(async () => {
    await settings().update('contextTokens', undefined, Global);
    await settings().update('model', modelBefore, Global);
    await run('workbench.action.closeAllEditors');
    const isBack = () => {
      const status = api.status();
      return status.kind === 'ready' && status.model.name !== 'reader';
    };
    await until(isBack, 'the model from before', 60_000);
    await rm(root, { recursive: true });
  });

  it('shows the model the declaration that a definition leads to, and keeps it', async () => {
    await write('hexagon.ts', `${AREA}\nexport const other = 1;\n`);
    const uri = (await open(await write('paint.ts', PAINT))).uri.toString();
    const paths = () => api.snippets(uri).map(({ path }) => path);
    await until(() => paths().includes('hexagon.ts'), 'the declaration', 60_000);
    const [first] = api.snippets(uri);
    assert.deepEqual(first, { path: 'hexagon.ts', text: AREA.trim() });
    await trigger();
    const { snippetTokens, promptTokens } = api.lastTimings()!;
    assert.ok(snippetTokens > 20 && snippetTokens <= 300, String(snippetTokens));
    const shown = api.snippets(uri);
    for (const text of 'area ') {
      const before = api.lastTimings();
      await run('type', { text });
      await trigger();
      assert.equal(api.snippets(uri), shown);
      const now = api.lastTimings()!;
      if (now !== before)
        assert.ok(now.reusedTokens / now.promptTokens > 0.9, String(promptTokens));
    }
  });

  it('shows passages of open files that are alike, and nothing of secrets', async () => {
    const alike = 'const octagonSide = octagonWidth / octagonRatio;\n';
    await open(await write('.env', `octagonSide=octagonWidth octagonRatio\n`));
    await open(await write('octagon.ts', alike.repeat(2)));
    const uri = (await open(await write('use.ts', `${alike}const octagonSide = `))).uri.toString();
    await until(() => api.snippets(uri).length > 0, 'a passage', 30_000);
    const paths = api.snippets(uri).map(({ path }) => path);
    assert.ok(paths.includes('octagon.ts') && !paths.includes('.env'), paths.join(' '));
  });

  it('shows nothing where the setting says so', async () => {
    const uri = vscode.window.activeTextEditor!.document.uri.toString();
    await settings().update('contextFiles', false, Global);
    assert.deepEqual(api.snippets(uri), []);
    await run('type', { text: 'q' });
    await trigger();
    assert.equal(api.lastTimings()!.snippetTokens, 0);
    await settings().update('contextFiles', undefined, Global);
  });
});
