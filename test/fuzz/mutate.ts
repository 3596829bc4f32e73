/** Wrong inputs from right ones, the same for the same source of chance. */
import { ATOMS } from '../atoms';

export type Random = () => number;

const below = (random: Random, end: number) => Math.floor(random() * end);
export const pick = <T>(random: Random, values: readonly T[]): T =>
  values[below(random, values.length)];

const NASTY: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 1, 2, 1.5, 1e-9, 1e9, 2 ** 31, 2 ** 32, 2 ** 53, 1e308],
  ...[Number.NaN, Infinity, -Infinity, '', ' ', '0', '-1', 'null', '__proto__', 'constructor'],
  ...['../../etc/passwd', '/etc/passwd', 'a/../../b', 'C:\\x', '\0', '\ud800', '\u202e', '🙂'],
  ...['x'.repeat(10_000), [], {}, [[[[]]]], [null], [1, 2, 3], { a: { b: {} } }],
  ...[Array(1000).fill(0), { toString: null }, { length: -1 }],
];

/** A copy of parsed JSON with one to four places changed. */
export function mutateJson(value: unknown, random: Random): unknown {
  let copy: unknown = JSON.parse(JSON.stringify(value)); // much quicker than structuredClone
  for (let i = 1 + below(random, 4); i > 0; i--) copy = mutateOnce(copy, random);
  return copy;
}

function mutateOnce(value: unknown, random: Random): unknown {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  if (keys.length === 0 || random() < 0.1) return mutateLeaf(value, random);
  const object = value as Record<string, unknown>;
  const key = pick(random, keys);
  const chance = random();
  if (chance < 0.1) delete object[key];
  else if (chance < 0.2) object[pick(random, keys)] = object[key];
  else if (chance < 0.25) object[`${key}x`] = object[key];
  else object[key] = mutateOnce(object[key], random);
  return object;
}

function mutateLeaf(value: unknown, random: Random): unknown {
  if (random() < 0.6) return nasty(random);
  if (typeof value === 'number')
    return value + pick(random, [-1, 1, 0.5, -value * 2, value * 1000]);
  if (typeof value === 'string') return mutateText(value, random);
  return nasty(random);
}

function nasty(random: Random): unknown {
  const value = pick(random, NASTY);
  return typeof value === 'object' ? structuredClone(value) : value;
}

const PIECES = [
  ...ATOMS,
  ...['\0', '\ud800', '\udfff', '\ud83d', '🙂👩‍👩‍👧‍👦', '\u202eabc\u202c', 'مرحبا', '\ufeff', '\u2028'],
  ...['\r', '\r\n', ' '.repeat(200), '//', '#', '${', 'é\u0301', '<|end|>', '<|prefix|>'],
  ...['a'.repeat(300), '('.repeat(8), ')'.repeat(8)],
];

/** Text with pieces cut out, put in, turned round or repeated. */
export function mutateText(text: string, random: Random): string {
  let result = text;
  for (let i = 1 + below(random, 4); i > 0; i--) {
    const [a, b] = [below(random, result.length + 1), below(random, result.length + 1)].sort(
      (x, y) => x - y,
    );
    const middle = result.slice(a, b);
    const pieces = [
      ...['', middle.repeat(2), [...middle].reverse().join(''), pick(random, PIECES)],
      ...[middle + pick(random, PIECES), pick(random, PIECES) + middle],
    ];
    result = result.slice(0, a) + pick(random, pieces) + result.slice(b);
  }
  return result.slice(0, 100_000);
}

/** Bytes with some flipped, overwritten, cut off or doubled. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  let result = Uint8Array.from(bytes);
  for (let i = 1 + below(random, 6); i > 0 && result.length > 0; i--) {
    // The head of a file is where its structure is.
    const at = below(random, random() < 0.7 ? Math.min(result.length, 400) : result.length);
    const chance = random();
    if (chance < 0.5) result[at] ^= 1 << below(random, 8);
    else if (chance < 0.8) result[at] = pick(random, [0, 0xff, 0x22, 0x2c, 0x39, 0x7b, 0x5d, 0x80]);
    else if (chance < 0.9) result = result.slice(0, at);
    else result = Uint8Array.from([...result.slice(0, at), ...result.slice(at >> 1)]);
  }
  return result;
}
