// Reads .vsix files, which are zip files, and the headers of native code.
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';

/** Unpacks a .vsix into a folder; returns its files as `{ path: size in bytes }`. */
export async function unpack(file, folder) {
  const zip = await openPromise(file);
  const sizes = {};
  for await (const entry of zip.eachEntry()) {
    const path = join(folder, entry.fileName);
    mkdirSync(dirname(path), { recursive: true });
    await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(path));
    sizes[entry.fileName] = entry.uncompressedSize;
  }
  return sizes;
}

const ELF = { 0x3e: 'x64', 0xb7: 'arm64' };
const PE = { 0x8664: 'x64', 0xaa64: 'arm64' };
const MACH_O = { 0x01000007: 'x64', 0x0100000c: 'arm64' };

/** What native code a file holds, as `win32-x64`, one for each machine; none for other files. */
export function nativeMachines(bytes) {
  if (bytes.length < 64) return [];
  if (bytes.readUInt32BE(0) === 0x7f454c46) return [`linux-${ELF[bytes.readUInt16LE(18)]}`];
  if (bytes.readUInt16BE(0) === 0x4d5a) {
    const header = bytes.readUInt32LE(0x3c);
    return [`win32-${PE[bytes.readUInt16LE(header + 4)]}`];
  }
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return [`darwin-${MACH_O[bytes.readUInt32LE(4)]}`];
  if (bytes.readUInt32BE(0) !== 0xcafebabe) return [];
  const count = bytes.readUInt32BE(4); // a universal binary: 20 bytes for each machine
  return Array.from(
    { length: count },
    (_, i) => `darwin-${MACH_O[bytes.readUInt32BE(8 + 20 * i)]}`,
  );
}
