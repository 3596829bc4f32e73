// One file from the hub into a folder: resumed where it was cut, and checked before it has its name.
import { constants } from 'node:fs';
import { open, rename, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hash } from 'node:crypto';
import { createHasher } from './digest';
import type { Hub } from './hub';
import { Fault, say, type Sentence } from '../sentence';
import { PassingFailure, persist } from './persist';
import type { Repository, RepositoryFile } from './repository';

/** What a transfer needs to know. */
export interface Transfer {
  hub: Hub;
  repository: Repository;
  file: RepositoryFile;
  /** The folder for the file. */
  dir: string;
  signal: AbortSignal;
  /** Called with bytes as they arrive; `isNew` is false for those that an earlier try left. */
  onBytes(count: number, isNew: boolean): void;
}

/** A file whose bytes are not those that the hub announced. */
export class WrongBytes extends Fault {
  /** Where they are, under a name that nothing loads. */
  readonly part: string;

  constructor(sentence: Sentence, part: string) {
    super(sentence);
    this.part = part;
  }
}

/** The unfinished file's name holds its digest, so bytes of different versions never mix. */
export function partName({ name, digest }: RepositoryFile): string {
  return `${name}.${digest.hex.slice(0, 12)}.part`;
}

/** Fetches and verifies one file; throws WrongBytes when the digest is another. */
export async function transferFile(transfer: Transfer): Promise<void> {
  const { file, dir } = transfer;
  const target = join(dir, file.name);
  const part = join(dir, partName(file));
  // One that is complete is checked again: what happened since is not known.
  if (await isFile(target)) await rename(target, part);
  const handle = await open(part, constants.O_RDWR | constants.O_CREAT);
  let found: string;
  try {
    found = await receive(transfer, handle, part);
    await handle.sync();
  } finally {
    await handle.close();
  }
  const { algorithm, hex } = file.digest;
  if (found !== hex) {
    const { address } = transfer.repository;
    throw new WrongBytes(
      say`${address}: ${file.name}: found ${algorithm} ${found}, expected ${hex}.`,
      part,
    );
  }
  await rename(part, target);
}

/** Completes the part and returns the digest of all of it. */
async function receive(transfer: Transfer, handle: FileHandle, part: string): Promise<string> {
  const { hub, repository, file, signal } = transfer;
  const hasher = createHasher(file.digest, file.sizeBytes);
  let offset = await hashExisting(handle, hasher, file.sizeBytes, signal);
  transfer.onBytes(offset, false);
  const attempt = async () => {
    if (offset === file.sizeBytes) return;
    for await (const chunk of hub.read(repository, file, offset, signal)) {
      if (offset + chunk.length > file.sizeBytes) {
        throw new WrongBytes(
          say`${repository.address}: ${file.name}: found more than ${file.sizeBytes} bytes, expected just as many.`,
          part,
        );
      }
      await write(handle, chunk, offset, part);
      hasher.update(chunk);
      offset += chunk.length;
      transfer.onBytes(chunk.length, true);
    }
    if (offset < file.sizeBytes) {
      throw new PassingFailure(
        say`${repository.address}: ${file.name}: found ${offset} bytes, expected ${file.sizeBytes}.`,
      );
    }
  };
  await persist(attempt, { retryMs: hub.retryMs, signal, progress: () => offset });
  return hasher.digest('hex');
}

/** Feeds what an earlier try left to the hash and returns its length; too much of it is dropped. */
async function hashExisting(
  handle: FileHandle,
  hasher: Hash,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<number> {
  if ((await handle.stat()).size > sizeBytes) await handle.truncate(0);
  const buffer = new Uint8Array(1 << 20);
  for (let offset = 0; ;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
    if (bytesRead === 0) return offset;
    hasher.update(buffer.subarray(0, bytesRead));
    offset += bytesRead;
  }
}

async function write(
  handle: FileHandle,
  bytes: Uint8Array,
  offset: number,
  path: string,
): Promise<void> {
  try {
    for (let done = 0; done < bytes.length;)
      done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
  } catch (error) {
    const { message } = error as Error;
    throw new Fault(
      say`${path}: cannot be written (${message}). What has arrived is kept: free some space and start the download again.`,
      { cause: error },
    );
  }
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
