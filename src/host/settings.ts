// Every setting of the extension: its type, its default and how a user's value is read.
// The manifest repeats this table for VS Code; a test keeps the two equal. Knows no editor.
import type { PowerPreference, PrecisionChoice } from '../protocol';

/** The settings under `lckv.` with their checked values. */
export interface Settings {
  enabled: boolean;
  /** Suggest while someone types, or only when asked by command. */
  trigger: 'automatic' | 'manual';
  /** Whether to suggest by itself, by language id; `*` speaks for all that are not named. */
  languages: Readonly<Record<string, boolean>>;
  /** Whether to suggest by itself in `comments`, in `strings`, and in `prose` between tags. */
  scopes: Readonly<Record<string, boolean>>;
  /** 'bundled', a name of the catalogue, a repository id or a folder (see selection.ts). */
  model: string;
  /** The least pause after a keystroke before the model is asked, in milliseconds. */
  delayMs: number;
  /** What is different while the computer runs on battery. */
  onBattery: 'save' | 'manual' | 'same';
  maxTokens: number;
  /** How many suggestions to offer who asks by command. */
  choices: number;
  /** How probable the model must hold the first line to suggest it by itself, 0 to 1. */
  confidence: number;
  /** Most tokens that a command generates. */
  generateTokens: number;
  extent: 'auto' | 'line' | 'block';
  /** 0 lets the worker choose. */
  contextTokens: number;
  /** Format of the weights on the GPU. */
  precision: PrecisionChoice;
  /** Memory for keys and values of documents other than the current one; 0 chooses by device. */
  cacheMemoryMiB: number;
  /** Which of several GPUs to prefer. */
  powerPreference: PowerPreference;
  /** Whether the model also sees lines of other files. */
  contextFiles: boolean;
  /** Part of a graphics adapter's name; '' lets the system choose. */
  adapter: string;
}

/** One setting: what the manifest says about it, and its value from whatever the user wrote. */
export interface Setting<T> {
  schema: { type: string; default: T; minimum?: number; maximum?: number; enum?: readonly T[] };
  from(value: unknown): T;
}

/** The table of settings, by their names without `lckv.`. */
export const SETTINGS: { readonly [K in keyof Settings]: Setting<Settings[K]> } = {
  enabled: flag(true),
  trigger: choice(['automatic', 'manual']),
  languages: flags({ '*': true, plaintext: false, markdown: false, scminput: false }),
  scopes: flags({ comments: true, strings: true, prose: false }),
  model: text('bundled'),
  delayMs: integer(0, 0, 10_000),
  onBattery: choice(['save', 'manual', 'same']),
  maxTokens: integer(64, 1, 512),
  choices: integer(4, 1, 8),
  confidence: number(0.01, 0, 1),
  generateTokens: integer(256, 1, 2048),
  extent: choice(['auto', 'line', 'block']),
  contextTokens: integer(0, 0, 1_000_000),
  precision: choice(['auto', 'f16', 'int8', 'int4']),
  cacheMemoryMiB: integer(0, 0, 65_536),
  powerPreference: choice(['high-performance', 'low-power']),
  contextFiles: flag(true),
  adapter: text(''),
};

/** Reads all settings through a getter of raw values; a wrong value becomes the nearest right one. */
export function readSettings(get: (name: string) => unknown): Settings {
  const read = <K extends keyof Settings>(name: K): Settings[K] => SETTINGS[name].from(get(name));
  return {
    enabled: read('enabled'),
    trigger: read('trigger'),
    languages: read('languages'),
    scopes: read('scopes'),
    model: read('model'),
    delayMs: read('delayMs'),
    onBattery: read('onBattery'),
    maxTokens: read('maxTokens'),
    choices: read('choices'),
    confidence: read('confidence'),
    generateTokens: read('generateTokens'),
    extent: read('extent'),
    contextTokens: read('contextTokens'),
    precision: read('precision'),
    cacheMemoryMiB: read('cacheMemoryMiB'),
    powerPreference: read('powerPreference'),
    contextFiles: read('contextFiles'),
    adapter: read('adapter'),
  };
}

function flag(standard: boolean): Setting<boolean> {
  return {
    schema: { type: 'boolean', default: standard },
    from: (value) => (typeof value === 'boolean' ? value : standard),
  };
}

/** Named flags: those a user sets, over the standard ones. */
function flags(
  standard: Readonly<Record<string, boolean>>,
): Setting<Readonly<Record<string, boolean>>> {
  return {
    schema: { type: 'object', default: standard },
    from: (value) => {
      const given = typeof value === 'object' && value !== null ? Object.entries(value) : [];
      const valid = given.filter(([, flag]) => typeof flag === 'boolean');
      return { ...standard, ...(Object.fromEntries(valid) as Record<string, boolean>) };
    },
  };
}

function text(standard: string): Setting<string> {
  return {
    schema: { type: 'string', default: standard },
    from: (value) => (typeof value === 'string' ? value.trim() || standard : standard),
  };
}

function integer(standard: number, minimum: number, maximum: number): Setting<number> {
  return {
    schema: { type: 'integer', default: standard, minimum, maximum },
    from: (value) =>
      typeof value === 'number' && !Number.isNaN(value)
        ? Math.round(Math.min(maximum, Math.max(minimum, value)))
        : standard,
  };
}

function number(standard: number, minimum: number, maximum: number): Setting<number> {
  return {
    schema: { type: 'number', default: standard, minimum, maximum },
    from: (value) =>
      typeof value === 'number' && !Number.isNaN(value)
        ? Math.min(maximum, Math.max(minimum, value))
        : standard,
  };
}

function choice<T extends string>(values: readonly [T, ...T[]]): Setting<T> {
  return {
    schema: { type: 'string', default: values[0], enum: values },
    from: (value) => values.find((known) => known === value) ?? values[0],
  };
}
