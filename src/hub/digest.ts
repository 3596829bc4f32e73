// What a file's bytes must add up to, in the two ways that the hub states it.
import { createHash, type Hash } from 'node:crypto';

/** Large files have their SHA-256; small ones the SHA-1 of git, which hashes the size as well. */
export interface Digest {
  algorithm: 'sha256' | 'git-sha1';
  /** Lower-case hexadecimal. */
  hex: string;
}

/** A hash that is fed piece by piece, as the hub computes it for a file of `sizeBytes`. */
export function createHasher({ algorithm }: Digest, sizeBytes: number): Hash {
  if (algorithm === 'sha256') return createHash('sha256');
  return createHash('sha1').update(`blob ${sizeBytes}\0`);
}
