// What arrives from a worker, checked: one of another version must not break the host.
import type { FromWorker } from '../../protocol';
import { isSentence } from '../../sentence';

/** Which fields a message must have, by kind. */
const FIELDS: Record<FromWorker['kind'], Record<string, string>> = {
  loading: { fraction: 'number', what: 'string' },
  ready: { device: 'object', model: 'object' },
  text: { id: 'number', text: 'string' },
  choices: { id: 'number', texts: 'object' },
  done: { id: 'number', reason: 'string', timings: 'object' },
  stats: { id: 'number', stats: 'object' },
  failed: { sentence: 'object' },
  pong: {},
};

/** Whether a message has the fields of its kind. */
export function isFromWorker(message: unknown): message is FromWorker {
  if (typeof message !== 'object' || message === null) return false;
  const fields = message as Record<string, unknown>;
  const kind = fields.kind as FromWorker['kind'];
  return (
    typeof kind === 'string' &&
    Object.hasOwn(FIELDS, kind) &&
    Object.entries(FIELDS[kind]).every(([name, type]) => typeof fields[name] === type) &&
    (kind !== 'failed' || isSentence(fields.sentence))
  );
}
