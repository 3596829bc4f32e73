// The page about the model in use: what it is, what it holds, how quick it is. Knows no editor.
import { t } from '@vscode/l10n';
import type { DeviceInfo, ModelInfo, Timings, WorkerStats } from '../../protocol';
import { bytesText } from '../quantity';
import { facts, html, Html } from './html';
import { kvMemory, latencies, layerPlan } from './pictures';

/** What the page shows; undefined where there is nothing yet. */
export interface Info {
  /** The state of completion in words. */
  status: string;
  model?: ModelInfo;
  device?: DeviceInfo;
  stats?: WorkerStats;
  timings?: Timings;
  /** Milliseconds that the last suggestions took, the newest last. */
  history: readonly number[];
  /** Names and values of the counts of suggestions. */
  suggestions: readonly (readonly [string, string | number])[];
  /** What the last benchmark found. */
  benchmark?: readonly (readonly [string, string | number])[];
}

/** The sections that change, by the id of the element that holds them. */
export type Sections = Record<string, string>;

/** What a click in the page may run. */
export const PAGE_COMMANDS = [
  'lckv.benchmark',
  'lckv.selectModel',
  'lckv.restartWorker',
  'lckv.showLog',
];

/** The content of every section. */
export function sections(info: Info): Sections {
  const { model, device, stats, timings } = info;
  const none = html`<p>${t('The model is not ready.')}</p>`;
  const content: Record<string, Html> = {
    status: html`${info.status}`,
    model: model ? aboutModel(model) : none,
    layers: model ? layerPlan(model) : none,
    memory: model ? kvMemory(model) : none,
    cache: stats ? cacheNow(stats, timings) : none,
    latency: latencies(info.history),
    suggestions: facts(info.suggestions),
    benchmark: info.benchmark ? facts(info.benchmark) : html`<p>${t('Not run yet.')}</p>`,
    device: device ? aboutDevice(device) : none,
  };
  return Object.fromEntries(Object.entries(content).map(([id, { text }]) => [id, text]));
}

/** The whole page; `source` is where its files come from, `nonce` what its script is known by. */
export function infoPage(
  files: { style: string; script: string; source: string; nonce: string },
  language: string,
  info: Info,
): string {
  const { style, script, source, nonce } = files;
  const policy = `default-src 'none'; style-src ${source}; script-src 'nonce-${nonce}'`;
  const content = sections(info);
  const section = (id: string, title: string) =>
    html`<section aria-labelledby="${id}-title">
      <h2 id="${id}-title" tabindex="-1">${title}</h2>
      <div id="${id}">${raw(content[id])}</div>
    </section>`;
  const labels = [
    t('Benchmark this machine'),
    t('Select model…'),
    t('Restart worker'),
    t('Show log'),
  ];
  return html`<!DOCTYPE html>
    <html lang="${language}">
      <head>
        <meta charset="utf-8" />
        <title>${t('LCKV: model')}</title>
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <link rel="stylesheet" href="${style}" />
      </head>
      <body>
        <main>
          <h1>${t('The model that completes your code')}</h1>
          <p id="status" role="status">${raw(content.status)}</p>
          <div class="actions" role="group" aria-label="${t('Commands')}">
            ${PAGE_COMMANDS.map((command, i) => html`<button type="button" data-command="${command}">${labels[i]}</button>`)}
          </div>
          ${section('model', t('Model'))} ${section('layers', t('Layers'))}
          ${section('memory', t('Memory for keys and values'))} ${section('cache', t('Cache now'))}
          ${section('latency', t('Latency'))}
          ${section('suggestions', t('Suggestions since the start'))}
          ${section('benchmark', t('Benchmark'))} ${section('device', t('Device'))}
        </main>
        <script nonce="${nonce}" src="${script}"></script>
      </body>
    </html>`.text;
}

const raw = (text: string) => new Html(text);

function aboutModel(model: ModelInfo): Html {
  return facts([
    [t('Name'), model.name],
    [t('Parameters'), t('{0} million', Math.round(model.parameters / 1e6))],
    [t('Layers'), t('{0}, of which {1} have keys and values', model.layers, model.kvLayers)],
    [t('Weights on the device'), bytesText(model.weightBytes)],
    [t('Context'), t('{0} tokens', model.contextTokens)],
    [
      t('Text after the cursor'),
      model.fillInTheMiddle ? t('is read') : t('is not read: the model was trained without'),
    ],
  ]);
}

function cacheNow(stats: WorkerStats, timings?: Timings): Html {
  const label = t('{0} of {1} tokens held', stats.heldTokens, stats.contextTokens);
  const reused =
    timings && timings.promptTokens > 0 ? timings.reusedTokens / timings.promptTokens : undefined;
  return html`<p id="held">${label}</p>
    <meter
      aria-labelledby="held"
      min="0"
      max="${stats.contextTokens}"
      value="${stats.heldTokens}"
    ></meter>
    ${facts([
      [
        t('Reused by the last prompt'),
        reused === undefined ? '–' : `${(reused * 100).toFixed(1)} %`,
      ],
      [t('Other documents and places that are warm'), stats.warmPrompts],
      [t('Memory that those take'), bytesText(stats.warmBytes)],
      [t('Memory of the worker process'), bytesText(stats.processBytes)],
    ])}`;
}

function aboutDevice(device: DeviceInfo): Html {
  return facts([
    [t('Name'), device.description],
    [t('Vendor'), device.vendor],
    [t('Architecture'), device.architecture],
    [t('Runs on'), device.software ? t('the CPU, slowly: there is no GPU driver') : t('the GPU')],
    [t('Subgroups'), device.subgroups ? t('used') : t('not there')],
  ]);
}
