// What the status bar says: one text for each state. Knows no editor.
import type { Timings } from '../protocol';
import type { WorkerState } from './client';

/** The extension's state as users see it. */
export type Status =
  | { kind: 'off' }
  | { kind: 'thinking'; ready: Extract<WorkerState, { kind: 'ready' }> }
  | Exclude<WorkerState, { kind: 'stopped' }>;

/** The content of a status bar item. */
export interface StatusText {
  text: string;
  /** Markdown with command links. */
  tooltip: string;
  /** For screen readers: the same without icons. */
  label: string;
  /** What a click does. */
  command: string;
}

/** Says a status in words, with what to do about it. */
export function describeStatus(status: Status, timings?: Timings): StatusText {
  switch (status.kind) {
    case 'off':
      return {
        text: '$(circle-slash) LCKV',
        tooltip: 'Local completion is off.\n\n[Turn it on](command:lckv.enable)',
        label: 'LCKV completion: off',
        command: 'lckv.enable',
      };
    case 'starting': {
      const percent = `${Math.round(status.fraction * 100)} %`;
      return {
        text: `$(loading~spin) LCKV ${percent}`,
        tooltip: `Local completion is starting: ${status.what}, ${percent}.\n\n${LINKS}`,
        label: `LCKV completion: starting, ${percent}`,
        command: 'lckv.showLog',
      };
    }
    case 'ready':
      return {
        text: `${status.device.software ? '$(warning)' : '$(sparkle)'} LCKV`,
        tooltip: readyTooltip(status, timings),
        label: `LCKV completion: ready${status.device.software ? ', slow without a GPU' : ''}`,
        command: 'lckv.toggle',
      };
    case 'thinking':
      return {
        text: '$(loading~spin) LCKV',
        tooltip: readyTooltip(status.ready, timings),
        label: 'LCKV completion: thinking',
        command: 'lckv.toggle',
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
        command: 'lckv.showLog',
      };
    }
  }
}

const LINKS =
  '[Restart](command:lckv.restartWorker) · [Log](command:lckv.showLog) · ' +
  '[Turn off](command:lckv.disable)';

function readyTooltip(
  { device, model }: Extract<WorkerState, { kind: 'ready' }>,
  timings?: Timings,
): string {
  const saved = Math.round(model.standardKvBytesPerToken / model.kvBytesPerToken);
  const paragraphs = [
    `**${model.name}**, ${Math.round(model.parameters / 1e6)} M parameters, on ${device.description}`,
    `Keys and values of ${model.kvLayers} of ${model.layers} layers: ${saved} times less memory ` +
      `than a standard transformer, for ${model.contextTokens} tokens`,
  ];
  if (device.software)
    paragraphs.push('There is no GPU driver, so the model runs on the CPU, slowly.');
  if (timings) paragraphs.push(timingsText(timings));
  return [...paragraphs, LINKS].join('\n\n');
}

function timingsText(timings: Timings): string {
  const { promptTokens, reusedTokens, generatedTokens, firstTextMs, totalMs } = timings;
  const first = firstTextMs === null ? '' : `first text after ${Math.round(firstTextMs)} ms, `;
  return (
    `Last suggestion: ${first}${generatedTokens} tokens in ${Math.round(totalMs)} ms; ` +
    `${reusedTokens} of ${promptTokens} prompt tokens came from the cache`
  );
}
