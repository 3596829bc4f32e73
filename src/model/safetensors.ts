/**
 * Reads .safetensors files: a checked header, then tensors one at a time by positional reads.
 * Every number of the header is checked against the file's size before anything is allocated.
 * Knows nothing of models.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { Fault, join, say } from '../sentence';
import { Fields, shown } from './fields';

/** Where one tensor's bytes lie in the file. `shape` is row-major, outermost first. */
export interface SafetensorsEntry {
  /** As the file spells it; one of the keys of `dtypeBytes`. */
  dtype: string;
  shape: number[];
  /** Byte offset from the start of the file. */
  begin: number;
  sizeBytes: number;
}

/** Bytes per number of every dtype the format knows and that is a whole number of bytes. */
const dtypeBytes = new Map([
  ...['BOOL', 'U8', 'I8', 'F8_E5M2', 'F8_E4M3', 'F8_E8M0'].map((name) => [name, 1] as const),
  ...['I16', 'U16', 'F16', 'BF16'].map((name) => [name, 2] as const),
  ...['I32', 'U32', 'F32'].map((name) => [name, 4] as const),
  ...['I64', 'U64', 'F64'].map((name) => [name, 8] as const),
]);

/** The format's own limit on the header. */
const MAX_HEADER_BYTES = 100_000_000;

/** The header starts after its length, a little-endian u64. */
const LENGTH_BYTES = 8;

const DAMAGED = say`The file is cut or damaged; download it again.`;

/** Node reads at most 2 GiB at once. */
const MAX_READ_BYTES = 1 << 30;

/** An open .safetensors file. Whoever opens it closes it. */
export class Safetensors {
  readonly path: string;
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  private readonly handle: FileHandle;

  private constructor(
    path: string,
    entries: ReadonlyMap<string, SafetensorsEntry>,
    handle: FileHandle,
  ) {
    this.path = path;
    this.entries = entries;
    this.handle = handle;
  }

  static async open(path: string): Promise<Safetensors> {
    const handle = await open(path, 'r');
    try {
      return new Safetensors(path, await readEntries(handle, path), handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** A fresh copy of bytes [begin, end) of a tensor, little-endian, aligned to 8 bytes. */
  async read(name: string, begin = 0, end?: number): Promise<Uint8Array> {
    const entry = this.entries.get(name);
    if (!entry) throw new Fault(say`${this.path}: found no tensor '${name}'.`);
    const bytes = new Uint8Array((end ?? entry.sizeBytes) - begin);
    await readFully(this.handle, bytes, entry.begin + begin, `${this.path}: ${name}`);
    return bytes;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

async function readFully(
  handle: FileHandle,
  bytes: Uint8Array,
  begin: number,
  what: string,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const length = Math.min(bytes.length - done, MAX_READ_BYTES);
    const { bytesRead } = await handle.read(bytes, done, length, begin + done);
    if (bytesRead === 0) {
      throw new Fault(
        say`${what}: the file ended after ${done} bytes, expected ${bytes.length}. It was cut while it was open; download it again.`,
      );
    }
    done += bytesRead;
  }
}

async function readEntries(
  handle: FileHandle,
  path: string,
): Promise<Map<string, SafetensorsEntry>> {
  const { size } = await handle.stat();
  if (size < LENGTH_BYTES) {
    const wrong = say`${path}: found ${size} bytes, expected at least ${LENGTH_BYTES}.`;
    throw new Fault(join(wrong, DAMAGED));
  }
  const start = new Uint8Array(LENGTH_BYTES);
  await readFully(handle, start, 0, `${path}: header length`);
  const headerBytes = new DataView(start.buffer).getBigUint64(0, true);
  const mostBytes = Math.min(MAX_HEADER_BYTES, size - LENGTH_BYTES);
  if (headerBytes > mostBytes) {
    const found = String(headerBytes);
    const wrong = say`${path}: header length: found ${found}, expected at most ${mostBytes} (the file has ${size} bytes).`;
    throw new Fault(join(wrong, DAMAGED));
  }
  const header = new Uint8Array(Number(headerBytes));
  await readFully(handle, header, LENGTH_BYTES, `${path}: header`);
  const dataBegin = LENGTH_BYTES + header.length;
  const entries = parseHeader(header, path, dataBegin, size);
  checkTiling(entries, path, dataBegin, size);
  return entries;
}

function parseHeader(
  header: Uint8Array,
  path: string,
  dataBegin: number,
  fileBytes: number,
): Map<string, SafetensorsEntry> {
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(header);
    json = JSON.parse(text) as unknown;
  } catch (error) {
    const { message } = error as Error;
    throw new Fault(
      say`${path}: header: found ${header.length} bytes that are not UTF-8 JSON, expected a JSON object (${message}). The file is damaged; download it again.`,
      { cause: error },
    );
  }
  const tensors = new Fields(json, `${path}: header`).all();
  const repeated = firstRepeated(topLevelKeys(text));
  if (repeated !== undefined) {
    throw new Fault(say`${path}: ${repeated}: found twice in the header, expected once.`);
  }
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, value] of tensors) {
    if (name === '__metadata__') continue;
    entries.set(name, parseEntry(new Fields(value, `${path}: ${name}`), dataBegin, fileBytes));
  }
  return entries;
}

function parseEntry(fields: Fields, dataBegin: number, fileBytes: number): SafetensorsEntry {
  const dtype = fields.string('dtype');
  const numberBytes = dtypeBytes.get(dtype);
  if (!numberBytes) throw fields.fault('dtype', say`one of ${[...dtypeBytes.keys()].join(', ')}`);

  const isSize = (value: unknown): value is number =>
    Number.isSafeInteger(value) && (value as number) >= 0;
  const shape = fields.raw('shape');
  if (!Array.isArray(shape) || shape.length > 8 || !shape.every(isSize)) {
    throw fields.fault('shape', say`at most 8 whole numbers`);
  }
  const sizeBytes = shape.reduce((product, length) => product * length, numberBytes);

  const offsets = fields.raw('data_offsets');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw fields.fault('data_offsets', say`two whole numbers`);
  }
  const [from, to] = offsets;
  const dataBytes = fileBytes - dataBegin;
  if (from > to || to > dataBytes) {
    throw fields.fault(
      'data_offsets',
      say`an ascending pair of at most ${dataBytes}, the bytes after the header`,
      DAMAGED,
    );
  }
  // A product beyond 2^53 is inexact, but then far larger than any file.
  if (to - from !== sizeBytes) {
    throw fields.fault(
      'data_offsets',
      say`a span of ${sizeBytes} bytes for ${dtype} ${shown(shape)}, not ${to - from}`,
    );
  }
  return { dtype, shape, begin: dataBegin + from, sizeBytes };
}

/** The format demands that the tensors fill the data exactly: no overlaps, no holes. */
function checkTiling(
  entries: ReadonlyMap<string, SafetensorsEntry>,
  path: string,
  dataBegin: number,
  fileBytes: number,
): void {
  let end = dataBegin;
  const byOffset = [...entries].sort(
    ([, a], [, b]) => a.begin - b.begin || a.sizeBytes - b.sizeBytes,
  );
  for (const [name, { begin, sizeBytes }] of byOffset) {
    if (begin !== end) {
      const fault = begin < end ? say`an overlap` : say`a hole`;
      throw new Fault(
        say`${path}: ${name}: data_offsets: found begin ${begin - dataBegin}, expected ${end - dataBegin} (the data has ${fault}).`,
      );
    }
    end = begin + sizeBytes;
  }
  if (end !== fileBytes) {
    throw new Fault(say`${path}: found ${fileBytes} bytes, expected ${end} by its header.`);
  }
}

/** JSON.parse keeps the last of equal keys; this lists every key of the outer object. */
function topLevelKeys(validJson: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  for (const [token, key] of validJson.matchAll(
    /("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}[\]]/g,
  )) {
    if (key !== undefined) {
      if (depth === 1) keys.push(JSON.parse(key) as string);
    } else if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
  }
  return keys;
}

function firstRepeated(keys: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return keys.find((key) => seen.size === seen.add(key).size);
}
