// The downloaded models on disk. A folder under `models` is complete and verified; what is on its
// way is under `partial`, and what had wrong bytes under `refused`.
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Repository } from './repository';

/** One folder of the store. */
export interface StoredModel {
  /** `owner/name`. */
  id: string;
  kind: 'model' | 'partial' | 'refused';
  dir: string;
  sizeBytes: number;
}

/** The file that says where a model came from; its presence makes the folder a model. */
const ORIGIN = 'origin.json';
const ROOMS = { model: 'models', partial: 'partial', refused: 'refused' } as const;

/** Model folders of the hub below one root. */
export class ModelStore {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Where a model is, is on its way, or was refused. */
  dirOf(id: string, kind: StoredModel['kind'] = 'model'): string {
    return join(this.root, ROOMS[kind], ...id.split('/'));
  }

  /** The model is there, complete and verified. */
  has(id: string): boolean {
    return existsSync(join(this.dirOf(id), ORIGIN));
  }

  /** Bytes that can be written where the store is. */
  async freeBytes(): Promise<number> {
    await mkdir(this.root, { recursive: true });
    const { bavail, bsize } = await statfs(this.root);
    return bavail * bsize;
  }

  /** Everything that takes up space, models first. */
  async list(): Promise<StoredModel[]> {
    const found: StoredModel[] = [];
    for (const kind of ['model', 'partial', 'refused'] as const) {
      const room = join(this.root, ROOMS[kind]);
      for (const owner of await entries(room))
        for (const name of await entries(join(room, owner))) {
          const dir = join(room, owner, name);
          found.push({ id: `${owner}/${name}`, kind, dir, sizeBytes: await sizeOf(dir) });
        }
    }
    return found;
  }

  /** Deletes a folder of the store. */
  async remove({ dir }: StoredModel): Promise<void> {
    // Without its origin it is no model any more, even if the rest stays because of a crash.
    await rm(join(dir, ORIGIN), { force: true });
    await rm(dir, { recursive: true, force: true });
    await rmdir(dirname(dir)).catch(() => {}); // Other models of the owner keep their folder.
  }

  /** Makes a complete partial folder a model, in one step. */
  async publish(repository: Repository): Promise<string> {
    const partial = this.dirOf(repository.id, 'partial');
    const dir = this.dirOf(repository.id);
    await writeFile(join(partial, ORIGIN), JSON.stringify(repository, null, 2) + '\n');
    await rm(dir, { recursive: true, force: true });
    await mkdir(dirname(dir), { recursive: true });
    await rename(partial, dir);
    await rmdir(dirname(partial)).catch(() => {}); // Other downloads from the owner keep theirs.
    return dir;
  }

  /** Puts a file with wrong bytes aside; returns where it is now. */
  async refuse(id: string, path: string, name: string): Promise<string> {
    const dir = this.dirOf(id, 'refused');
    await mkdir(dir, { recursive: true });
    const target = join(dir, name);
    await rename(path, target);
    return target;
  }
}

function entries(dir: string): Promise<string[]> {
  return readdir(dir).catch(() => []);
}

async function sizeOf(dir: string): Promise<number> {
  let sum = 0;
  for (const name of await entries(dir))
    sum += await stat(join(dir, name)).then(
      ({ size }) => size,
      () => 0,
    );
  return sum;
}
