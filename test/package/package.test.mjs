// The six .vsix files: what is inside, for which machine, and that one works where it was unpacked.
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { pack, targets } from '../../package.mjs';
import { nativeMachines, unpack } from './unpack.mjs';

const WINDOWS = ['d3dcompiler_47.dll', 'dxcompiler.dll'];
const WINDOWS_NOTICES = ['dxcompiler-LICENSE.TXT', 'dxcompiler-ThirdPartyNotices.txt'];
/** What every package holds; `vsce` renames some files. */
const common = readFileSync('test/package/contents.txt', 'utf8').trim().split('\n');
/** The target that runs on this machine. */
const own = `${process.platform}-${process.arch}`;

describe('packages', function () {
  this.timeout(300_000);
  let root;
  const files = {};
  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'lckv-package-'));
    const packing = Object.keys(targets).map(
      async (target) => (files[target] = await pack(target)),
    );
    await Promise.all(packing);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  for (const [target, binding] of Object.entries(targets)) {
    describe(target, () => {
      const inside = `extension/node_modules/webgpu/dist/${binding}`;
      const isWindows = target.startsWith('win32');
      let folder;
      let sizes;
      before(async () => {
        folder = join(root, target);
        sizes = await unpack(files[target], folder);
      });
      after(() => target === own || rmSync(folder, { recursive: true }));
      const read = (path) => readFileSync(join(folder, path));

      it('holds these files and no others', () => {
        const native = ['dawn.node', ...(isWindows ? [...WINDOWS, ...WINDOWS_NOTICES] : [])];
        const expected = [...common, ...native.map((name) => `${inside}/${name}`)];
        assert.deepEqual(Object.keys(sizes).sort(), expected.sort());
        const { version, private: _, ...manifest } = JSON.parse(read('extension/package.json'));
        assert.equal(manifest.main, './dist/extension.js');
        assert.match(read('extension.vsixmanifest').toString(), new RegExp(`="${version}"`));
      });

      it('is for its platform only', () => {
        const manifest = read('extension.vsixmanifest').toString();
        assert.match(manifest, new RegExp(`TargetPlatform="${target}"`));
        const native = Object.keys(sizes).filter((path) => nativeMachines(read(path)).length > 0);
        const expected = ['dawn.node', ...(isWindows ? WINDOWS : [])];
        assert.deepEqual(native.sort(), expected.map((name) => `${inside}/${name}`).sort());
        for (const path of native) assert.ok(nativeMachines(read(path)).includes(target), path);
      });

      it('finds everything it imports inside', async () => {
        const at = (name) => join(folder, 'extension', name);
        const { metafile } = await build({
          entryPoints: ['dist/extension.js', 'dist/worker.mjs', 'dist/lckv.mjs'].map(at),
          ...{ bundle: true, platform: 'node', write: false, metafile: true, outdir: folder },
          ...{ external: ['vscode'], logLevel: 'silent', sourcemap: false },
          format: 'esm',
        });
        const used = Object.keys(metafile.inputs).map((path) => path.split('/extension/').at(-1));
        assert.ok(used.includes('node_modules/webgpu/index.js'), used.join(' '));
      });

      it('is as large as README.md says', () => {
        const found = statSync(files[target]).size / 1e6;
        const row = new RegExp(`^\\| ${target} \\| (\\d+) MB`, 'm');
        const said = Number(row.exec(readFileSync('README.md', 'utf8'))?.[1]);
        const sentence = `${target}: README.md says ${said} MB, found ${found.toFixed(0)} MB`;
        assert.ok(Math.abs(said / found - 1) < 0.1, sentence);
      });
    });
  }

  // A suite of its own: those above unpack first.
  describe('on this machine', () => {
    it('completes code where it was unpacked', function () {
      if (!(own in targets)) return this.skip();
      const [program, at] = [
        join(root, own, 'extension', 'dist', 'lckv.mjs'),
        'src/engine/sample.ts',
      ];
      const limits = ['--context', '64', '--max-tokens', '4', '--json'];
      const args = [program, 'complete', `${at}:12:10`, ...limits];
      const { text, tokens } = JSON.parse(
        execFileSync(process.execPath, args, { encoding: 'utf8' }),
      );
      assert.ok(tokens > 0 && text.length > 0);
    });
  });
});
