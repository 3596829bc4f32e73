/**
 * Tokens as the device holds them: `Token` of step.wgsl.
 */

/** A token that was chosen, and the natural logarithm of its probability among all. */
export interface Token {
  id: number;
  logProbability: number;
}

export const TOKEN_BYTES = 8;

/** Ids that are given, as the device wants them: Token [ids.length]. */
export function packTokens(ids: readonly number[]): Uint32Array {
  const words = new Uint32Array(ids.length * 2);
  ids.forEach((id, i) => (words[2 * i] = id));
  return words;
}

/** The tokens that the device has written: Token [n]. */
export function unpackTokens(bytes: ArrayBuffer): Token[] {
  const ids = new Uint32Array(bytes);
  const numbers = new Float32Array(bytes);
  return Array.from({ length: bytes.byteLength / TOKEN_BYTES }, (_, i) => ({
    id: ids[2 * i],
    logProbability: numbers[2 * i + 1],
  }));
}

/** Whether no token came from a resident kernel that had got stuck (resident.wgsl). */
export function areChosen(tokens: readonly Token[], vocabSize: number): boolean {
  return tokens.every(({ id }) => id < vocabSize);
}

/** Throws where an id is none of the vocabulary's. */
export function checkIds(ids: readonly number[], vocabSize: number): void {
  const stranger = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
  if (stranger === undefined) return;
  throw new Error(`Token id ${stranger}: expected a whole number from 0 to ${vocabSize - 1}.`);
}
