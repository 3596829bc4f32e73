// Small models with random weights, for tests that need a model but not its sense.
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomTensors, safetensors, tinyConfig } from '../checkpoints';
import { extension } from './editor';

/** Makes a model folder in another one; returns its path. */
export async function tinyFolder(root: string, name: string, more: object = {}, seed = 1) {
  const dir = join(root, name);
  const fixture = join('test', 'fixtures', 'tiny-tokenizer', 'tokenizer.json');
  await mkdir(dir);
  await writeFile(join(dir, 'config.json'), JSON.stringify({ ...tinyConfig, ...more }));
  await writeFile(join(dir, 'model.safetensors'), safetensors(randomTensors(tinyConfig, seed)));
  await cp(join(extension.extensionPath, fixture), join(dir, 'tokenizer.json'));
  return dir;
}
