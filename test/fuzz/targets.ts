/** What is fuzzed: everything that reads what the extension did not write itself. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { selectModel } from '../../src/host/models/selection';
import { readSettings, SETTINGS } from '../../src/host/settings';
import { WorkerClient } from '../../src/host/worker/client';
import { openCheckpoint } from '../../src/model/checkpoint';
import { parseConfig } from '../../src/model/config';
import { buildPrompt } from '../../src/model/prompt';
import { Safetensors } from '../../src/model/safetensors';
import { modelTensors } from '../../src/model/tensors';
import { Tokenizer } from '../../src/model/tokenizer';
import { GREEDY } from '../../src/protocol';
import { say } from '../../src/sentence';
import { BlockExtent, LineExtent } from '../../src/text/extent';
import { trimCompletion } from '../../src/text/trim';
import { completionWindow } from '../../src/text/window';
import { parseMessage } from '../../src/worker/message';
import { randomTensors, safetensors, tinyConfig } from '../checkpoints';
import { loadRequest } from '../load';
import { mutateBytes, mutateJson, mutateText, pick, type Random } from './mutate';

export interface Target {
  name: string;
  /** Inputs of a short run. */
  count: number;
  run: (random: Random) => Promise<void> | void;
}

const readJson = (path: string) =>
  JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;

const LANGUAGES = [
  'typescript',
  'python',
  'go',
  'rust',
  'html',
  'yaml',
  'markdown',
  '',
  'nonesuch',
];
const SOURCE = readFileSync('src/text/brackets.ts', 'utf8');

/** All targets; files go into `dir`, a tiny model folder. */
export async function targets(dir: string): Promise<Target[]> {
  const tokenizerJson = readJson('test/fixtures/tiny-tokenizer/tokenizer.json');
  const tokenizer = await Tokenizer.open(dir);
  return [
    { name: 'config.json', count: 40_000, run: fuzzConfig },
    { name: 'messages to the worker', count: 40_000, run: fuzzToWorker },
    { name: 'messages from the worker', count: 60_000, run: fuzzFromWorker() },
    { name: 'settings', count: 60_000, run: fuzzSettings },
    { name: 'text', count: 1_000, run: (random) => fuzzText(random, tokenizer, SOURCE) },
    { name: 'long lines', count: 20, run: (random) => fuzzText(random, tokenizer, LONG_LINE) },
    { name: 'safetensors', count: 4_000, run: fuzzSafetensors(dir) },
    { name: 'index of parts', count: 1_000, run: fuzzIndex(dir) },
    { name: 'tokenizer.json', count: 500, run: (random) => fuzzTokenizer(random, tokenizerJson) },
  ];
}

function fuzzConfig(random: Random): void {
  modelTensors(parseConfig(mutateJson(tinyConfig, random), 'config.json'));
}

const request = {
  ...{ path: 'a.ts', language: 'typescript', prefix: 'let a', suffix: ';', maxTokens: 8 },
  ...{ extent: 'line', sampling: GREEDY, snippets: [{ path: 'b.ts', text: 'let b' }] },
};
const TO_WORKER = [
  { kind: 'load', inUseBytes: 0, ...loadRequest('/model') },
  { kind: 'complete', id: 1, request },
  { kind: 'cancel', id: 1 },
  { kind: 'ping' },
];

function fuzzToWorker(random: Random): void {
  parseMessage(mutateJson(pick(random, TO_WORKER), random));
}

const FROM_WORKER = [
  { kind: 'loading', fraction: 0.5, what: 'weights' },
  { kind: 'text', id: 1, text: 'a' },
  { kind: 'done', id: 1, reason: 'end', timings: {} },
  { kind: 'failed', id: 1, sentence: say`${'a'}: found ${1}, expected ${say`a list`}.` },
  { kind: 'pong' },
];

function fuzzFromWorker(): Target['run'] {
  const client = new WorkerClient({ script: '', log: () => {}, onChange: () => {} });
  const receive = (Reflect.get(client, 'receive') as (message: unknown) => void).bind(client);
  return (random) => receive(mutateJson(pick(random, FROM_WORKER), random));
}

function fuzzSettings(random: Random): void {
  const defaults = Object.fromEntries(
    Object.entries(SETTINGS).map(([name, { schema }]) => [name, schema.default]),
  );
  const raw = mutateJson(defaults, random);
  const values = (typeof raw === 'object' && raw !== null ? raw : {}) as Record<string, unknown>;
  const settings = readSettings((name) => values[name]);
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const value: unknown = settings[name as keyof typeof settings];
    const expected = typeof setting.schema.default;
    if (typeof value !== expected) throw new TypeError(`${name} is a ${typeof value}`);
  }
  selectModel(settings.model, { bundledDir: '/bundled', downloaded: () => null });
}

const LONG_LINE = `${SOURCE}\nconst long = [${'"ab\\"c", (1), '.repeat(75_000)}];\n${SOURCE}`;

function fuzzText(random: Random, tokenizer: Tokenizer, seed: string): void {
  const at = Math.floor(random() * seed.length);
  const [before, after] = [seed.slice(0, at), seed.slice(at)];
  const near = mutateText(before.slice(-300), random);
  const { prefix, suffix } = completionWindow(
    before.slice(0, -300) + near,
    mutateText(after.slice(0, 300), random) + after.slice(300),
  );
  const language = pick(random, LANGUAGES);
  const context = { ...request, language, prefix, suffix };
  buildPrompt(tokenizer, context, 16 + Math.floor(random() * 300));
  const completion = mutateText(SOURCE.slice(at % 2000, (at % 2000) + 200), random);
  const { insert, replace } = trimCompletion({ language, prefix, suffix, completion });
  if (insert.length > 2 * completion.length + 2000 || replace < 0 || replace > suffix.length)
    throw new RangeError(`trimmed to ${insert.length} characters over ${replace}`);
  for (const extent of [new LineExtent(), new BlockExtent(context)]) {
    for (let i = 0; i < completion.length && !extent.ended; i += 7)
      extent.take(completion.slice(i, i + 7));
    extent.flush();
  }
}

function fuzzSafetensors(dir: string): Target['run'] {
  const bytes = safetensors(
    randomTensors({ ...tinyConfig, num_hidden_layers: 1, layer_types: '0' }),
  );
  const path = join(dir, 'fuzzed.safetensors');
  return async (random) => {
    writeFileSync(
      path,
      mutateBytes(bytes.subarray(0, 4000 + 4 * Math.floor(random() * 99)), random),
    );
    const file = await Safetensors.open(path);
    await file.close();
  };
}

function fuzzIndex(dir: string): Target['run'] {
  const names = modelTensors(parseConfig(tinyConfig, 'config.json')).map(({ name }) => name);
  const index = { weight_map: Object.fromEntries(names.map((name) => [name, 'part.safetensors'])) };
  return async (random) => {
    const json = JSON.stringify(mutateJson(index, random)) ?? '';
    const text = random() < 0.2 ? mutateText(json, random) : json;
    writeFileSync(join(dir, 'parts', 'model.safetensors.index.json'), text);
    const checkpoint = await openCheckpoint(join(dir, 'parts'));
    await checkpoint.close();
  };
}

function fuzzTokenizer(random: Random, json: Record<string, unknown>): void {
  const tokenizer = Tokenizer.fromJson(mutateJson(json, random), 'tokenizer.json');
  const decoder = tokenizer.createDecoder();
  for (const id of tokenizer.encode('let a = 1;\n\tb\r\n')) decoder.push(id);
  decoder.flush();
}
