// A WebGPU device. Where there is no graphics card, Mesa's lavapipe computes on the CPU.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, distribution, root, runAsRoot, say } from './system.mjs';

const drivers = ['mesa-vulkan-drivers', 'libvulkan1'];

/** Makes sure that a WebGPU device can be had, installing Mesa's software driver if it must. */
export async function gpu() {
  let found = probe();
  if (!found.device && process.platform === 'linux') {
    say(`no WebGPU device yet (${found.problem})`);
    // Dawn refuses the Mesa 22.3 of Debian 12; the one in its backports will do.
    const suite = distribution().VERSION_CODENAME === 'bookworm' ? 'bookworm-backports' : undefined;
    if (suite) await enableSuite(suite, 'bookworm');
    await aptInstall(drivers, { suite });
    found = probe();
  }
  if (!found.device) {
    throw new Error(`There is no usable WebGPU device: ${found.problem}
  On Linux it takes a Vulkan driver (Mesa 23 or newer, or the graphics card's own); on macOS and
  Windows an up-to-date graphics driver. Install one and run this again.`);
  }
  say(`WebGPU device: ${found.device}`);
}

/** Asks for a device in a child process, since a native crash must not end the set-up. */
function probe() {
  const script = `
    import { create, globals } from 'webgpu';
    Object.assign(globalThis, globals);
    globalThis.instance = create([]); // held: Dawn crashes once this is collected
    const adapter = await globalThis.instance.requestAdapter();
    if (!adapter) throw new Error('no adapter was offered');
    await adapter.requestDevice();
    console.log(adapter.info.description || adapter.info.vendor || 'without a name');
    process.exit(0);`;
  const args = ['--input-type=module', '--eval', script];
  const child = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (child.status === 0) return { device: child.stdout.trim() };
  const lines = child.stderr.split('\n').filter((line) => /error/i.test(line));
  return { problem: (lines.at(-1) ?? child.signal ?? 'the probe failed').toString().trim() };
}

/** Adds an apt suite with the server and key that this machine already uses for `base`. */
async function enableSuite(suite, base) {
  const sources = aptSources();
  if (sources.some((source) => source.suites.includes(suite))) return;
  const known = sources.find(
    (source) => source.suites.includes(base) && source.components.includes('main'),
  );
  if (!known) {
    throw new Error(`No apt source for ${base} was found. Enable ${suite} by hand, then:
  apt-get update && apt-get install -y -t ${suite} ${drivers.join(' ')}`);
  }
  const text = [
    'Types: deb',
    `URIs: ${known.uris}`,
    `Suites: ${suite}`,
    'Components: main',
    ...(known.signedBy ? [`Signed-By: ${known.signedBy}`] : []),
  ].join('\n');
  const file = `/etc/apt/sources.list.d/${suite}.sources`;
  say(`enabling ${suite} in ${file}`);
  await runAsRoot('sh', ['-c', 'printf "%s\\n" "$1" > "$2"', 'sh', text, file]);
}

/** The enabled binary sources of apt, from both of its file formats. */
function aptSources() {
  const folder = '/etc/apt/sources.list.d';
  const files = ['/etc/apt/sources.list', ...readdirSync(folder).map((name) => join(folder, name))];
  return files.flatMap((file) => {
    if (file.endsWith('.sources')) return readStanzas(readText(file));
    return file.endsWith('.list') ? readLines(readText(file)) : [];
  });
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8').replace(/^\s*#.*\n?/gm, '');
  } catch {
    return '';
  }
}

const words = (text = '') => text.split(/\s+/).filter(Boolean);

function readStanzas(text) {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name) =>
      new RegExp(`^${name}:[ \\t]*((?:.|\\n[ \\t])*)`, 'im').exec(stanza)?.[1].trimEnd();
    if (!words(field('Types')).includes('deb') || field('Enabled') === 'no') return [];
    return {
      uris: field('URIs'),
      suites: words(field('Suites')),
      components: words(field('Components')),
      signedBy: field('Signed-By'),
    };
  });
}

function readLines(text) {
  return [...text.matchAll(/^deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+(.*)$/gm)].map(
    ([, options = '', uris, suite, components]) => ({
      uris,
      suites: [suite],
      components: words(components),
      signedBy: /signed-by=(\S+)/.exec(options)?.[1],
    }),
  );
}
