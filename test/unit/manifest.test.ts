import { strict as assert } from 'node:assert';
import { existsSync, readFileSync } from 'node:fs';
import { readManifest } from '../manifest';

interface Manifest {
  icon: string;
  main: string;
  activationEvents: string[];
  extensionKind: string[];
  capabilities: { untrustedWorkspaces: { supported: string; restrictedConfigurations: string[] } };
  contributes: {
    configuration: { properties: Record<string, { scope?: string }> }[];
    walkthroughs: {
      steps: { media: { markdown: string }; description: string; completionEvents: string[] }[];
    }[];
    commands: Record<'command' | 'title' | 'category' | 'enablement', string>[];
  };
}

const manifest = readManifest<Manifest>();

/** What may switch a command on or off. */
const KNOWN = /^(!?config\.lckv\.enabled|lckv\.ready|lckv\.preview( == ready)?|!editorReadonly)$/;

describe('manifest', () => {
  it('runs where the GPU is: on the side of the window, if it can', () => {
    assert.deepEqual(manifest.extensionKind, ['ui', 'workspace']);
    assert.deepEqual(manifest.activationEvents, ['onStartupFinished']);
  });

  it('lets no workspace without trust set what concerns the machine', () => {
    const { supported, restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;
    assert.equal(supported, 'limited');
    const settings = manifest.contributes.configuration.flatMap(({ properties }) =>
      Object.entries(properties),
    );
    const ofMachine = settings.filter(([, { scope }]) => scope === 'machine-overridable');
    assert.ok(ofMachine.some(([name]) => name === 'lckv.model'));
    assert.deepEqual([...restrictedConfigurations].sort(), ofMachine.map(([name]) => name).sort());
  });

  it('names files that are there', () => {
    assert.ok(existsSync(manifest.icon));
    const png = readFileSync(manifest.icon);
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [128, 128]);
    assert.ok(existsSync(manifest.main));
  });

  it('has the commands that the extension registers', () => {
    const source = readFileSync('src/host/commands.ts', 'utf8');
    const registered = [...source.matchAll(/^ {4}'(lckv\.\w+)': /gm)].map(([, id]) => id);
    const contributed = manifest.contributes.commands.map(({ command }) => command);
    assert.deepEqual(registered, contributed);
  });

  it('puts its commands into one category and switches them off where they make no sense', () => {
    for (const { command, title, category, enablement } of manifest.contributes.commands) {
      assert.equal(category, 'LCKV', command);
      assert.match(title, /^[A-Z]/, command);
      for (const term of enablement?.split(' && ') ?? []) assert.match(term, KNOWN, command);
    }
  });

  it('has a walkthrough whose pictures, commands and settings are there', () => {
    const { commands, walkthroughs } = manifest.contributes;
    const known = commands.map(({ command }) => command);
    const steps = walkthroughs.flatMap((walkthrough) => walkthrough.steps);
    assert.ok(steps.length >= 4);
    for (const { media, description, completionEvents } of steps) {
      assert.ok(existsSync(media.markdown), media.markdown);
      const named = [description, ...completionEvents].join(' ');
      for (const [, id] of named.matchAll(/ommand:(lckv\.\w+)/g)) assert.ok(known.includes(id), id);
      assert.ok(completionEvents.length > 0);
    }
  });

  it('ships only what the extension runs on', () => {
    const lines = readFileSync('.vscodeignore', 'utf8').split('\n');
    const rules = lines.filter((line) => line !== '' && !line.startsWith('#'));
    assert.equal(rules[0], '**');
    assert.ok(rules.slice(1).every((rule) => rule.startsWith('!')));
    for (const needed of [manifest.main, manifest.icon, 'dist/worker.mjs', 'LICENSE'])
      assert.ok(rules.includes(`!${needed.replace('./', '')}`), needed);
  });
});
