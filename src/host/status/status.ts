// What the status bar says: one text for each state. Knows no editor.
import type { Timings } from '../../protocol';
import type { WorkerState } from '../worker/client';
import { describeSummary, type Summary } from '../suggest/statistics';

/** The extension's state as users see it. */
export type Status =
  | { kind: 'off' }
  | { kind: 'paused'; leftMs: number }
  /** `forMs`: how long a suggestion has been waited for. */
  | { kind: 'thinking'; forMs: number; ready: Extract<WorkerState, { kind: 'ready' }> }
  | Exclude<WorkerState, { kind: 'stopped' }>;

/** The content of a status bar item. */
export interface StatusText {
  text: string;
  /** Markdown with command links. */
  tooltip: string;
  /** For screen readers: the same without icons. */
  label: string;
}

/** Says a status in words, with what to do about it, and how suggesting went lately. */
export function describeStatus(status: Status, timings?: Timings, summary?: Summary): StatusText {
  switch (status.kind) {
    case 'off':
      return {
        text: '$(circle-slash) LCKV',
        tooltip: 'Local completion is off.\n\n[Turn it on](command:lckv.enable)',
        label: 'LCKV completion: off',
      };
    case 'paused': {
      const minutes = Math.ceil(status.leftMs / 60_000);
      return {
        text: `$(debug-pause) LCKV ${minutes} min`,
        tooltip: `Completion is paused for ${minutes} min.\n\n[Resume](command:lckv.resume)`,
        label: `LCKV completion: paused for ${minutes} minutes`,
      };
    }
    case 'starting': {
      const percent = `${Math.round(status.fraction * 100)} %`;
      return {
        text: `$(loading~spin) LCKV ${percent}`,
        tooltip: `Local completion is starting: ${status.what}, ${percent}.\n\n${LINKS}`,
        label: `LCKV completion: starting, ${percent}`,
      };
    }
    case 'ready':
      return {
        text: `${status.device.software ? '$(warning)' : '$(sparkle)'} LCKV`,
        tooltip: readyTooltip(status, timings, summary),
        label: `LCKV completion: ready${status.device.software ? ', slow without a GPU' : ''}`,
      };
    case 'thinking':
      return {
        text: `$(loading~spin) LCKV${elapsed(status.forMs)}`,
        tooltip: readyTooltip(status.ready, timings, summary),
        label: `LCKV completion: thinking${elapsed(status.forMs)}`,
      };
    case 'failed': {
      const next =
        status.retryMs === null
          ? 'It stays off until you [start it again](command:lckv.restartWorker).'
          : `It starts again in ${status.retryMs / 1000} s.`;
      return {
        text: '$(error) LCKV',
        tooltip: `${status.message}\n\n${next}\n\n${LINKS}`,
        label: `LCKV completion: error. ${status.message}`,
      };
    }
  }
}

/** Whole seconds, once there is one: a model that is fast is not worth a number. */
function elapsed(ms: number): string {
  return ms < 1000 ? '' : ` ${Math.floor(ms / 1000)} s`;
}

/** The commands that a tooltip may run. */
export const LINKED_COMMANDS = [
  'lckv.enable',
  'lckv.disable',
  'lckv.resume',
  'lckv.explain',
  'lckv.restartWorker',
  'lckv.showLog',
];

const LINKS =
  '[Why no suggestion?](command:lckv.explain) · [Restart](command:lckv.restartWorker) · ' +
  '[Log](command:lckv.showLog) · [Turn off](command:lckv.disable)';

function readyTooltip(
  { device, model }: Extract<WorkerState, { kind: 'ready' }>,
  timings?: Timings,
  summary?: Summary,
): string {
  const saved = Math.round(model.standardKvBytesPerToken / model.kvBytesPerToken);
  const paragraphs = [
    `**${model.name}**, ${Math.round(model.parameters / 1e6)} M parameters, on ${device.description}`,
    `Keys and values of ${model.kvLayers} of ${model.layers} layers: ${saved} times less memory ` +
      `than a standard transformer, for ${model.contextTokens} tokens`,
  ];
  if (model.reduced) paragraphs.push(model.reduced);
  if (device.software) paragraphs.push(softwareText(timings));
  if (timings) paragraphs.push(timingsText(timings));
  if (summary) paragraphs.push(`Since the start: ${describeSummary(summary)}`);
  return [...paragraphs, LINKS].join('\n\n');
}

/** How slow it is without a GPU, once that is known. */
function softwareText(timings?: Timings): string {
  const text = 'There is no GPU driver, so the model runs on the CPU, slowly';
  const decodeMs = timings && timings.totalMs - timings.prefillMs;
  if (!timings?.generatedTokens || !decodeMs || decodeMs <= 0) return `${text}.`;
  const tokensPerSecond = Math.round((timings.generatedTokens / decodeMs) * 1000);
  return `${text}: ${tokensPerSecond} tokens a second.`;
}

function timingsText(timings: Timings): string {
  const { promptTokens, reusedTokens, generatedTokens, firstTextMs, totalMs } = timings;
  const first = firstTextMs === null ? '' : `first text after ${Math.round(firstTextMs)} ms, `;
  return (
    `Last suggestion: ${first}${generatedTokens} tokens in ${Math.round(totalMs)} ms; ` +
    `${reusedTokens} of ${promptTokens} prompt tokens came from the cache`
  );
}
