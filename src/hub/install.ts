// A repository of the hub becomes a model folder of the store, or nothing changes.
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseConfig } from '../model/config';
import { readJsonFile } from '../model/fields';
import { Fault, join as joined, say } from '../sentence';
import type { Hub } from './hub';
import { Meter, type Progress } from './meter';
import type { Repository } from './repository';
import type { ModelStore } from './store';
import { partName, transferFile, WrongBytes } from './transfer';

/** Bytes that stay free on the disk. */
const SPARE_BYTES = 64 << 20;
/** Holds the number of the process that downloads into the folder. */
const LOCK = 'lock';

/**
 * Downloads a model and returns its folder. Cancelled or cut, it goes on from there the next time;
 * with wrong bytes it refuses the file and throws. A model that would not run is given up early.
 */
export async function installModel(
  hub: Hub,
  store: ModelStore,
  repository: Repository,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void,
): Promise<string> {
  const { id, files, totalBytes } = repository;
  const dir = store.dirOf(id, 'partial');
  await mkdir(dir, { recursive: true });
  await lock(dir, id);
  try {
    await removeOthers(dir, repository);
    await assertSpace(store, dir, totalBytes);
    const meter = new Meter(totalBytes);
    const onBytes = (count: number, isNew: boolean) => {
      meter.add(count, isNew);
      onProgress(meter.progress());
    };
    for (const file of files) {
      await transferFile({ hub, repository, file, dir, signal, onBytes });
      if (file.name === 'config.json') await assertRuns(join(dir, file.name));
    }
    signal.throwIfAborted();
  } catch (error) {
    throw error instanceof WrongBytes ? await refused(error, store, repository) : error;
  } finally {
    await rm(join(dir, LOCK), { force: true });
  }
  return store.publish(repository);
}

async function refused(error: WrongBytes, store: ModelStore, { id }: Repository): Promise<Error> {
  const name = basename(error.part).replace(/part$/, 'refused');
  const path = await store.refuse(id, error.part, name);
  const remedy = say`These are not the bytes that were announced, so the file is not used; it was put aside as ${path}. Download the model again; if that fails too, tell its owner.`;
  return new Fault(joined(error.sentence, remedy), { cause: error });
}

/** Throws when another living process downloads into the folder. */
async function lock(dir: string, id: string): Promise<void> {
  const path = join(dir, LOCK);
  const owner = Number(await readFile(path, 'utf8').catch(() => '0'));
  if (owner > 0 && isAlive(owner)) {
    throw new Fault(
      say`${id}: found a download that is under way (process ${owner}), expected none. Wait until it has ended, or delete ${path}.`,
    );
  }
  await writeFile(path, String(process.pid));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The engine's own check of the configuration, before the large files come. */
async function assertRuns(path: string): Promise<void> {
  parseConfig(await readJsonFile(path, say`It says what kind of model this is.`), path);
}

/** Removes what an earlier commit of the repository has left. */
async function removeOthers(dir: string, { files }: Repository): Promise<void> {
  const kept = new Set([LOCK, ...files.flatMap((file) => [file.name, partName(file)])]);
  for (const name of await readdir(dir))
    if (!kept.has(name)) await rm(join(dir, name), { recursive: true });
}

async function assertSpace(store: ModelStore, dir: string, totalBytes: number): Promise<void> {
  let presentBytes = 0;
  for (const name of await readdir(dir)) presentBytes += (await stat(join(dir, name))).size;
  const neededBytes = totalBytes - presentBytes + SPARE_BYTES;
  const freeBytes = await store.freeBytes();
  if (freeBytes >= neededBytes) return;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  const [free, needed] = [freeBytes, neededBytes].map(megabytes);
  throw new Fault(
    say`${store.root}: found ${free} of free space, expected ${needed}. Free some and start the download again.`,
  );
}
