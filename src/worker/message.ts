/**
 * What arrives from the host, checked. Border code: the host is ours, but a worker that is
 * started by hand or by another version must not crash over a message.
 */
import { Fields } from '../model/fields';
import type { CompletionRequest, ToWorker } from '../protocol';

/** Checks a message; throws a sentence that names the field that is wrong. */
export function parseMessage(message: unknown): ToWorker {
  const fields = new Fields(message, 'message');
  const kind = fields.string('kind');
  switch (kind) {
    case 'load':
      return {
        kind,
        modelDir: fields.string('modelDir'),
        contextTokens:
          fields.raw('contextTokens') === undefined
            ? null
            : fields.integer('contextTokens', 1, Number.MAX_SAFE_INTEGER),
        adapter: fields.raw('adapter') === undefined ? null : fields.string('adapter'),
      };
    case 'complete':
      return { kind, id: parseId(fields), request: parseRequest(fields.raw('request')) };
    case 'cancel':
      return { kind, id: parseId(fields) };
    default:
      throw fields.fault('kind', 'load, complete or cancel');
  }
}

/** The request that a message belongs to, or null where it names none. */
export function messageId(message: unknown): number | null {
  const id = typeof message === 'object' && message !== null && 'id' in message && message.id;
  return Number.isSafeInteger(id) ? (id as number) : null;
}

function parseId(fields: Fields): number {
  return fields.integer('id', 0, Number.MAX_SAFE_INTEGER);
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
    maxTokens: fields.integer('maxTokens', 1, 1 << 16),
    extent,
    sampling: {
      temperature: sampling.number('temperature', 0, 100),
      topK: sampling.integer('topK', 0, Number.MAX_SAFE_INTEGER),
      topP: sampling.number('topP', 0, 1),
      seed: sampling.integer('seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    },
  };
}
