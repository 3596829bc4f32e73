// What the status bar says: one text for each state. Knows no editor.
import { t } from '@vscode/l10n';
import type { LoadStep, Timings } from '../../protocol';
import { phrase } from '../../sentence';
import type { WorkerState } from '../worker/state';
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
        tooltip: `${t('Local completion is off.')}\n\n${link(t('Turn it on'), 'lckv.enable')}`,
        label: t('LCKV completion: off'),
      };
    case 'paused': {
      const minutes = Math.ceil(status.leftMs / 60_000);
      const said = t('Completion is paused for {0} min.', minutes);
      return {
        text: `$(debug-pause) LCKV ${minutes} min`,
        tooltip: `${said}\n\n${link(t('Resume'), 'lckv.resume')}`,
        label: t('LCKV completion: paused for {0} minutes', minutes),
      };
    }
    case 'starting': {
      const percent = `${Math.round(status.fraction * 100)} %`;
      const said = t('Local completion is starting: {0}, {1}.', stepText(status.what), percent);
      return {
        text: `$(loading~spin) LCKV ${percent}`,
        tooltip: `${said}\n\n${links()}`,
        label: t('LCKV completion: starting, {0}', percent),
      };
    }
    case 'ready':
      return {
        text: `${status.device.software ? '$(warning)' : '$(sparkle)'} LCKV`,
        tooltip: readyTooltip(status, timings, summary),
        label: status.device.software
          ? t('LCKV completion: ready, slow without a GPU')
          : t('LCKV completion: ready'),
      };
    case 'thinking':
      return {
        text: `$(loading~spin) LCKV${elapsed(status.forMs)}`,
        tooltip: readyTooltip(status.ready, timings, summary),
        label: `${t('LCKV completion: thinking')}${elapsed(status.forMs)}`,
      };
    case 'failed':
      return {
        text: '$(error) LCKV',
        tooltip: [status.message, nextStep(status.retryMs), links()].join('\n\n'),
        label: t('LCKV completion: error. {0}', status.message),
      };
  }
}

function nextStep(retryMs: number | null): string {
  if (retryMs !== null) return t('It starts again in {0} s.', retryMs / 1000);
  const again = link(t('start it again'), 'lckv.restartWorker');
  return t('It stays off until you {0}.', again);
}

function stepText(step: LoadStep): string {
  switch (step) {
    case 'process':
      return t('starting the process');
    case 'files':
      return t('reading the model');
    case 'gpu':
      return t('opening the GPU');
    case 'weights':
      return t('loading the weights');
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

const link = (text: string, command: string) => `[${text}](command:${command})`;

const links = () =>
  [
    link(t('Why no suggestion?'), 'lckv.explain'),
    link(t('Restart'), 'lckv.restartWorker'),
    link(t('Log'), 'lckv.showLog'),
    link(t('Turn off'), 'lckv.disable'),
  ].join(' · ');

function readyTooltip(
  { device, model }: Extract<WorkerState, { kind: 'ready' }>,
  timings?: Timings,
  summary?: Summary,
): string {
  const millions = Math.round(model.parameters / 1e6);
  const paragraphs = [
    t('{0}, {1} M parameters, on {2}', `**${model.name}**`, millions, device.description),
    t(
      'Keys and values of {0} of {1} layers: {2} times less memory than a standard transformer, for {3} tokens',
      model.kvLayers,
      model.layers,
      Math.round(model.standardKvBytesPerToken / model.kvBytesPerToken),
      model.contextTokens,
    ),
  ];
  if (model.reduced) paragraphs.push(phrase(model.reduced, t));
  if (!model.fillInTheMiddle)
    paragraphs.push(
      t(
        'This model was trained without fill-in-the-middle: it sees only what is before the cursor.',
      ),
    );
  if (device.software) paragraphs.push(softwareText(timings));
  if (timings) paragraphs.push(timingsText(timings));
  if (summary) paragraphs.push(t('Since the start: {0}', describeSummary(summary)));
  return [...paragraphs, links()].join('\n\n');
}

/** How slow it is without a GPU, once that is known. */
function softwareText(timings?: Timings): string {
  const decodeMs = timings && timings.totalMs - timings.prefillMs;
  if (!timings?.generatedTokens || !decodeMs || decodeMs <= 0)
    return t('There is no GPU driver, so the model runs on the CPU, slowly.');
  return t(
    'There is no GPU driver, so the model runs on the CPU, slowly: {0} tokens a second.',
    Math.round((timings.generatedTokens / decodeMs) * 1000),
  );
}

function timingsText(timings: Timings): string {
  const { promptTokens, reusedTokens, generatedTokens, firstTextMs, totalMs } = timings;
  const first =
    firstTextMs === null ? '' : `${t('first text after {0} ms', Math.round(firstTextMs))}, `;
  const whole = t('{0} tokens in {1} ms', generatedTokens, Math.round(totalMs));
  const reused = t('{0} of {1} prompt tokens came from the cache', reusedTokens, promptTokens);
  return `${t('Last suggestion')}: ${first}${whole}; ${reused}`;
}
