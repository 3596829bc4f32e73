/**
 * Reads checked fields out of parsed JSON. Border code: every complaint names the file, the
 * field, what was found and what was expected.
 */
import { readFile } from 'node:fs/promises';
import { Fault, join, say, type Place, type Sentence } from '../sentence';

/** Reads and parses a JSON file; `purpose` says in the error what the file is needed for. */
export async function readJsonFile(path: string, purpose: Sentence): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw unreadable(path, error as Error, purpose);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const { message } = error as Error;
    throw new Fault(join(say`${path}: not valid JSON (${message}).`, purpose), { cause: error });
  }
}

/** What to say of a file that the system does not let be read. */
export function unreadable(path: string, error: Error, purpose: Sentence): Fault {
  return new Fault(join(say`${path}: cannot be read (${error.message}).`, purpose), {
    cause: error,
  });
}

/** A value as it appears in an error message: JSON, cut to 60 characters. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The fields of one JSON object; each getter throws unless the value is as asked. */
export class Fields {
  private readonly fields: ReadonlyMap<string, unknown>;
  private readonly file: string;

  constructor(json: unknown, file: string) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new Fault(say`${file}: expected a JSON object, found ${shown(json)}.`);
    }
    this.file = file;
    this.fields = new Map(Object.entries(json));
  }

  /** The raw value; a JSON null counts as missing and gives undefined. */
  raw(name: string): unknown {
    return this.fields.get(name) ?? undefined;
  }

  /** Every field with its raw value. */
  all(): Iterable<[string, unknown]> {
    return this.fields;
  }

  /** A Fault of one field, for the caller to throw; `expected` is a sentence unless it is code. */
  fault(name: string, expected: Place, remedy?: Sentence): Fault {
    const found = this.fields.has(name) ? shown(this.fields.get(name)) : say`nothing`;
    const wrong = say`${this.file}: ${name}: found ${found}, expected ${expected}.`;
    return new Fault(remedy ? join(wrong, remedy) : wrong);
  }

  /** A whole number from `min` to `max`, both included. */
  integer(name: string, min: number, max: number, missing?: number): number {
    const value = this.raw(name) ?? missing;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw this.fault(name, say`a whole number from ${min} to ${max}`);
    }
    return value;
  }

  /** A finite number greater than 0. */
  positive(name: string, missing?: number): number {
    const value = this.raw(name) ?? missing;
    if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value)) {
      throw this.fault(name, say`a number greater than 0`);
    }
    return value;
  }

  /** A number from `min` to `max`, both included. */
  number(name: string, min: number, max: number): number {
    const value = this.raw(name);
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw this.fault(name, say`a number from ${min} to ${max}`);
    }
    return value;
  }

  boolean(name: string, missing: boolean): boolean {
    const value = this.raw(name) ?? missing;
    if (typeof value !== 'boolean') throw this.fault(name, say`true or false`);
    return value;
  }

  string(name: string, missing?: string): string {
    const value = this.raw(name) ?? missing;
    if (typeof value !== 'string') throw this.fault(name, say`a string`);
    return value;
  }

  /** One token id, several, or none (null): always as an array. */
  tokens(name: string, vocabSize: number, missing: number): number[] {
    const value = this.fields.has(name) ? this.fields.get(name) : missing;
    const ids: unknown[] = Array.isArray(value) ? value : value === null ? [] : [value];
    const valid = (id: unknown): id is number =>
      Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize;
    if (!ids.every(valid)) throw this.fault(name, say`token ids from 0 to ${vocabSize - 1}`);
    return ids;
  }
}
