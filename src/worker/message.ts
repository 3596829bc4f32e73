/**
 * What arrives from the host, checked. Border code: the host is ours, but a worker that is
 * started by hand or by another version must not crash over a message.
 */
import { Fields } from '../model/fields';
import type {
  CompletionRequest,
  PowerPreference,
  PrecisionChoice,
  Snippet,
  ToWorker,
} from '../protocol';

/** The first is what an absent field means. */
const PRECISIONS: readonly PrecisionChoice[] = ['auto', 'f16', 'int8', 'int4'];
const POWER_PREFERENCES: readonly PowerPreference[] = ['high-performance', 'low-power'];

/** Checks a message; throws a sentence that names the field that is wrong. */
export function parseMessage(message: unknown): ToWorker {
  const fields = new Fields(message, 'message');
  const kind = fields.string('kind');
  switch (kind) {
    case 'load':
      return {
        kind,
        modelDir: fields.string('modelDir'),
        contextTokens: optional(fields, 'contextTokens', 1),
        adapter: fields.raw('adapter') === undefined ? null : fields.string('adapter'),
        powerPreference: choice(fields, 'powerPreference', POWER_PREFERENCES),
        precision: choice(fields, 'precision', PRECISIONS),
        cacheBytes: optional(fields, 'cacheBytes', 0),
        tuningFile: fields.raw('tuningFile') === undefined ? null : fields.string('tuningFile'),
        inUseBytes: optional(fields, 'inUseBytes', 0) ?? 0,
      };
    case 'complete':
      return { kind, id: parseId(fields), request: parseRequest(fields.raw('request')) };
    case 'prepare':
      return { kind, id: parseId(fields), request: parseRequest(fields.raw('request')) };
    case 'choose':
      return {
        kind,
        id: parseId(fields),
        request: parseRequest(fields.raw('request')),
        count: fields.integer('count', 1, 16),
      };
    case 'cancel':
    case 'stats':
      return { kind, id: parseId(fields) };
    case 'ping':
      return { kind };
    default:
      throw fields.fault('kind', 'load, complete, prepare, choose, cancel, stats or ping');
  }
}

/** The request that a message belongs to, or null where it names none. */
export function messageId(message: unknown): number | null {
  const id = typeof message === 'object' && message !== null && 'id' in message && message.id;
  return Number.isSafeInteger(id) ? (id as number) : null;
}

function optional(fields: Fields, name: string, least: number): number | null {
  if (fields.raw(name) === undefined) return null;
  return fields.integer(name, least, Number.MAX_SAFE_INTEGER);
}

function choice<T extends string>(fields: Fields, name: string, values: readonly T[]): T {
  const found = fields.string(name, values[0]);
  const known = values.find((value) => value === found);
  if (known === undefined) throw fields.fault(name, values.join(', '));
  return known;
}

function parseId(fields: Fields): number {
  return fields.integer('id', 0, Number.MAX_SAFE_INTEGER);
}

function parseSnippets(fields: Fields): Snippet[] {
  const found = fields.raw('snippets');
  if (!Array.isArray(found)) throw fields.fault('snippets', 'a list');
  return found.map((json: unknown, index) => {
    const snippet = new Fields(json, `message: request: snippets[${index}]`);
    return { path: snippet.string('path'), text: snippet.string('text') };
  });
}

function parseRequest(json: unknown): CompletionRequest {
  const fields = new Fields(json, 'message: request');
  const extent = fields.string('extent');
  if (extent !== 'line' && extent !== 'block') throw fields.fault('extent', 'line or block');
  const sampling = new Fields(fields.raw('sampling'), 'message: request: sampling');
  return {
    path: fields.string('path'),
    language: fields.string('language'),
    prefix: fields.string('prefix'),
    suffix: fields.string('suffix'),
    snippets: parseSnippets(fields),
    maxTokens: fields.integer('maxTokens', 1, 1 << 16),
    extent,
    confidence: fields.raw('confidence') === undefined ? 0 : fields.number('confidence', 0, 1),
    sampling: {
      temperature: sampling.number('temperature', 0, 100),
      topK: sampling.integer('topK', 0, Number.MAX_SAFE_INTEGER),
      topP: sampling.number('topP', 0, 1),
      seed: sampling.integer('seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    },
  };
}
