/**
 * A model folder on disk: config.json and weights in one or several .safetensors files.
 * Opening checks that every tensor the model needs is there with the right shape and dtype.
 */
import { access } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { Fault, say, type Place } from '../sentence';
import { parseConfig, type ModelConfig } from './config';
import { Fields, readJsonFile, shown, unreadable } from './fields';
import { Safetensors, type SafetensorsEntry } from './safetensors';
import type { Dtype, TensorInfo, TensorSource } from './source';
import { modelTensors, type ModelTensor } from './tensors';

/** An open model folder. Whoever opens it closes it. */
export interface Checkpoint extends TensorSource {
  readonly dir: string;
  /** Numbers in the model's tensors; a quantised matrix counts its elements, not its scales. */
  readonly parameters: number;
  close(): Promise<void>;
}

const SINGLE_FILE = 'model.safetensors';
const INDEX_FILE = 'model.safetensors.index.json';
const CONTENTS = say`A model folder holds config.json, tokenizer.json and ${SINGLE_FILE} (or ${INDEX_FILE} and its parts).`;

/** Opens and checks a model folder; throws one sentence naming file, field, found and expected. */
export async function openCheckpoint(dir: string): Promise<Checkpoint> {
  const configPath = join(dir, 'config.json');
  const config = parseConfig(await readJsonFile(configPath, CONTENTS), configPath);
  const files = await openFiles(dir);
  try {
    return checkedCheckpoint(dir, config, files);
  } catch (error) {
    await closeAll(files);
    throw error;
  }
}

interface Located {
  file: Safetensors;
  entry: SafetensorsEntry;
}

function checkedCheckpoint(dir: string, config: ModelConfig, files: Safetensors[]): Checkpoint {
  const located = new Map<string, Located>();
  for (const file of files) {
    for (const [name, entry] of file.entries) {
      const twin = located.get(name);
      if (twin) {
        throw new Fault(
          say`${file.path}: ${name}: found also in ${twin.file.path}, expected once.`,
        );
      }
      located.set(name, { file, entry });
    }
  }
  const tensors = new Map<string, Located>();
  let parameters = 0;
  for (const tensor of modelTensors(config)) {
    const { file, entry } = checked(tensor, located, dir, dtypesOf(tensor, config));
    tensors.set(tensor.name, { file, entry });
    parameters += tensor.shape.reduce((product, length) => product * length);
    if (entry.dtype === 'I8') {
      const scale = scalesOf(tensor, config.quantization!.groupSize);
      tensors.set(scale.name, checked(scale, located, dir, ['F16']));
    }
  }

  const find = (name: string): Located => {
    const found = tensors.get(name);
    if (!found) throw new Fault(say`${dir}: ${name} is not a tensor of this model.`);
    return found;
  };
  return {
    dir,
    name: basename(resolve(dir)),
    config,
    parameters,
    tensors: modelTensors(config).map(({ name }) => tensorInfo(name, find(name).entry)),
    totalBytes: [...tensors.values()].reduce((sum, { entry }) => sum + entry.sizeBytes, 0),
    has: (name) => tensors.has(name),
    info: (name) => tensorInfo(name, find(name).entry),
    read: async (name, begin, end) => find(name).file.read(name, begin, end),
    close: () => closeAll(files),
  };
}

function dtypesOf(tensor: ModelTensor, config: ModelConfig): Dtype[] {
  const quantisable = config.quantization !== null && tensor.shape.length === 2;
  return quantisable ? ['F32', 'F16', 'BF16', 'I8'] : ['F32', 'F16', 'BF16'];
}

/** The scales of an int8 matrix: f16 [rows, columns / groupSize]. */
function scalesOf({ name, shape: [rows, columns] }: ModelTensor, groupSize: number): ModelTensor {
  return { name: `${name}_scale`, shape: [rows, columns / groupSize] };
}

function checked(
  { name, shape }: ModelTensor,
  located: ReadonlyMap<string, Located>,
  dir: string,
  dtypes: readonly Dtype[],
): Located {
  const found = located.get(name);
  if (!found) {
    throw new Fault(
      say`${dir}: ${name}: found nothing, expected ${either(dtypes)} ${shown(shape)}. config.json and the weights do not belong together, or a part is missing.`,
    );
  }
  const { file, entry } = found;
  if (entry.shape.length !== shape.length || entry.shape.some((n, i) => n !== shape[i])) {
    throw new Fault(
      say`${file.path}: ${name}: shape: found ${shown(entry.shape)}, expected ${shown(shape)}. config.json and the weights do not belong together.`,
    );
  }
  if (!dtypes.some((dtype) => dtype === entry.dtype)) {
    throw new Fault(
      say`${file.path}: ${name}: dtype: found ${entry.dtype}, expected ${either(dtypes)}. Convert the weights, or state their quantization in config.json.`,
    );
  }
  return found;
}

/** One of these. */
function either(names: readonly string[]): Place {
  return names.reduce<Place>((all, name) => (all === '' ? name : say`${all} or ${name}`), '');
}

/** Only entries that passed `checked` get here, so the dtype is one of ours. */
function tensorInfo(name: string, { dtype, shape, sizeBytes }: SafetensorsEntry): TensorInfo {
  return { name, dtype: dtype as Dtype, shape, sizeBytes };
}

async function openFiles(dir: string): Promise<Safetensors[]> {
  const files: Safetensors[] = [];
  try {
    for (const name of await fileNames(dir)) files.push(await openPart(join(dir, name)));
    return files;
  } catch (error) {
    await closeAll(files);
    throw error;
  }
}

async function fileNames(dir: string): Promise<string[]> {
  const indexPath = join(dir, INDEX_FILE);
  if ((await exists(join(dir, SINGLE_FILE))) || !(await exists(indexPath))) return [SINGLE_FILE];
  const index = new Fields(await readJsonFile(indexPath, CONTENTS), indexPath);
  const weightMap = new Fields(index.raw('weight_map'), `${indexPath}: weight_map`);
  const names = new Set<string>();
  for (const [tensor] of weightMap.all()) {
    const name = weightMap.string(tensor);
    if (!/^[\w-][\w.-]*\.safetensors$/.test(name)) {
      throw weightMap.fault(tensor, say`the name of a .safetensors file in the same folder`);
    }
    names.add(name);
  }
  return [...names];
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function openPart(path: string): Promise<Safetensors> {
  try {
    return await Safetensors.open(path);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    throw unreadable(path, error, CONTENTS);
  }
}

async function closeAll(files: readonly Safetensors[]): Promise<void> {
  await Promise.all(files.map((file) => file.close()));
}
