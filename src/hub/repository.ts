// What the hub says about a model repository, checked, and which of its files make a model folder.
import { Fault, say, type Place } from '../sentence';
import type { Digest } from './digest';

/** One file to download. */
export interface RepositoryFile {
  /** A bare file name: no folders, so it cannot leave the model's folder. */
  name: string;
  sizeBytes: number;
  digest: Digest;
}

/** A model repository at one commit. */
export interface Repository {
  /** `owner/name`. */
  id: string;
  /** Where a browser shows it. */
  address: string;
  /** 40 hexadecimal digits. */
  commit: string;
  /** As the model card states it, or null. */
  licence: string | null;
  /** The files of a model folder, smallest first. */
  files: RepositoryFile[];
  /** Of all files together. */
  totalBytes: number;
}

/** What a repository id looks like; each half is also a safe folder name. */
export const REPOSITORY_ID = /^[A-Za-z0-9][\w-]*(\.[\w-]+)*\/[A-Za-z0-9_][\w-]*(\.[\w-]+)*$/;

const INDEX = 'model.safetensors.index.json';
const SHARD = /^model-\d{5}-of-\d{5}\.safetensors$/;
const REQUIRED = ['config.json', 'tokenizer.json'];
const WELCOME = /^(generation_config\.json|tokenizer_config\.json|licen[cs]e(\.txt|\.md)?)$/i;

/** Reads the hub's answer to a look-up; throws one sentence when no model folder comes of it. */
export function parseRepository(text: string, id: string, address: string): Repository {
  const info = parseInfo(text);
  const { sha, siblings } = info ?? {};
  const isCommit = typeof sha === 'string' && /^[0-9a-f]{40}$/.test(sha);
  if (!isCommit || !Array.isArray(siblings)) {
    throw new Fault(
      say`${address}: found no commit and list of files in the hub's answer, expected both. Check HF_ENDPOINT: the server there may not be a Hugging Face hub.`,
    );
  }
  const listed = new Map<unknown, Sibling>();
  for (const sibling of siblings as Sibling[]) listed.set(sibling?.rfilename, sibling);
  const files = chooseNames(
    [...listed.keys()].filter((name) => typeof name === 'string'),
    address,
  )
    .map((name) => parseFile(name, listed.get(name)!, address))
    .sort((a, b) => a.sizeBytes - b.sizeBytes);
  const licence = (info?.cardData as { license?: unknown } | null | undefined)?.license;
  return {
    id,
    address,
    commit: sha,
    licence: typeof licence === 'string' ? licence : null,
    files,
    totalBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

/** The parts of an answer that matter, unchecked. */
type Info = Partial<Record<'sha' | 'siblings' | 'cardData', unknown>> | null;

/** Null for a page that is not JSON, as a login page of a network may be. */
function parseInfo(text: string): Info {
  try {
    return JSON.parse(text) as Info;
  } catch {
    return null;
  }
}

/** An entry of the hub's list, unchecked. */
type Sibling = Partial<Record<'rfilename' | 'size' | 'blobId' | 'lfs', unknown>>;

function chooseNames(names: string[], address: string): string[] {
  const shards = names.filter((name) => SHARD.test(name));
  const isSharded = names.includes(INDEX) && shards.length > 0;
  const weights = names.includes('model.safetensors')
    ? ['model.safetensors']
    : isSharded
      ? [INDEX, ...shards]
      : [];
  const missing: Place[] = REQUIRED.filter((name) => !names.includes(name));
  if (weights.length === 0) missing.push(say`model.safetensors (or ${INDEX} and its parts)`);
  if (missing.length > 0) {
    const all = missing.reduce((first, second) => say`${first} and no ${second}`);
    throw new Fault(
      say`${address}: found no ${all}, expected a model folder with config.json, tokenizer.json and safetensors weights. Choose another repository.`,
    );
  }
  return [...REQUIRED, ...names.filter((name) => WELCOME.test(name)), ...weights];
}

function parseFile(name: string, { size, blobId, lfs }: Sibling, address: string): RepositoryFile {
  const sha256 = (lfs as { sha256?: unknown } | null | undefined)?.sha256;
  const digest: Digest | null = isHex(sha256, 64)
    ? { algorithm: 'sha256', hex: sha256 }
    : isHex(blobId, 40) && !lfs
      ? { algorithm: 'git-sha1', hex: blobId }
      : null;
  if (!digest || !Number.isSafeInteger(size) || (size as number) < 0) {
    throw new Fault(
      say`${address}: ${name}: found no size and digest in the hub's answer, expected both. Without them the file could not be checked, so it is not downloaded.`,
    );
  }
  return { name, sizeBytes: size as number, digest };
}

function isHex(value: unknown, length: number): value is string {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]+$/.test(value);
}
