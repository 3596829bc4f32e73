// The pictures of the info page, as SVG: colours come from the style sheet. Each has its table.
import { t } from '@vscode/l10n';
import type { ModelInfo } from '../../protocol';
import { bytesText } from '../quantity';
import { html, table, type Html } from './html';

const ROW = 22;
const BOX = { x: 64, width: 190, height: 16 };

/** Which layer reads the keys and values of which, the last layer on top. */
export function layerPlan({ kvSources }: ModelInfo): Html {
  const count = kvSources.length;
  const y = (layer: number) => (count - 1 - layer) * ROW + 4;
  const computes = new Set(kvSources);
  const boxes = kvSources.map((_, layer) => {
    const kind = computes.has(layer) ? 'source' : 'reader';
    return html`<text class="label" x="${BOX.x - 8}" y="${y(layer) + 12}">${layer}</text>
      <rect
        class="${kind}"
        x="${BOX.x}"
        y="${y(layer)}"
        width="${BOX.width}"
        height="${BOX.height}"
        rx="3"
      />`;
  });
  const arrows = kvSources.flatMap((source, layer) => {
    if (source === layer) return [];
    const [from, to] = [y(layer) + 8, y(source) + 8];
    const x = BOX.x + BOX.width;
    const bend = x + 18 + Math.min(130, Math.abs(layer - source) * 7);
    return [
      html`<path class="reads" d="M${x} ${from}C${bend} ${from} ${bend} ${to} ${x + 5} ${to}" />`,
    ];
  });
  const [height, sources] = [count * ROW + 8, computes.size];
  const label = t(
    '{0} layers, of which {1} have keys and values that the others read',
    count,
    sources,
  );
  return html`<svg class="plan" role="img" aria-label="${label}" viewBox="0 0 420 ${height}">
      <defs>
        <marker
          id="tip"
          class="tip"
          viewBox="0 0 6 6"
          refX="5"
          refY="3"
          markerWidth="6"
          markerHeight="6"
          orient="auto"
        >
          <path d="M0 0 6 3 0 6z" />
        </marker>
      </defs>
      ${arrows}${boxes}
    </svg>
    <p class="legend">
      <span class="key source"></span> ${t('has keys and values of its own')}
      <span class="key reader"></span> ${t('reads those that an arrow leads to')}
    </p>
    <details>
      <summary>${t('The layers as a table')}</summary>
      ${table(
        t('Whose keys and values each layer reads'),
        [t('Layer'), t('Reads')],
        kvSources.map((source, layer) => [
          layer,
          source === layer ? t('its own') : t('layer {0}', source),
        ]),
      )}
    </details>`;
}

/** Memory for the keys and values of a full context, beside that of a standard transformer. */
export function kvMemory(model: ModelInfo): Html {
  const { kvBytesPerToken: ours, standardKvBytesPerToken: standard, contextTokens } = model;
  const bars: [string, number, string][] = [
    [model.name, ours, 'source'],
    [t('Standard transformer of this shape'), standard, 'reader'],
  ];
  const drawn = bars.map(([, bytes, kind], i) => {
    const width = Math.max(2, (bytes / standard) * 400);
    return html`<rect
      class="${kind}"
      x="1"
      y="${i * 24 + 3}"
      width="${width}"
      height="18"
      rx="3"
    />`;
  });
  const times = (standard / ours).toFixed(1);
  const label = t('{0} times less memory than a standard transformer of this shape', times);
  const rows = bars.map(([name, bytes]) => [
    name,
    bytesText(bytes),
    bytesText(bytes * contextTokens),
  ]);
  const head = [t('Model'), t('A token'), t('{0} tokens', contextTokens)];
  return html`<p>${label}</p>
    <svg class="bars" role="img" aria-label="${label}" viewBox="0 0 402 50">${drawn}</svg>
    ${table(t('Memory for keys and values'), head, rows)}`;
}

/** Milliseconds of the last answers, the newest on the right. */
export function latencies(history: readonly number[]): Html {
  if (history.length === 0) return html`<p>${t('No suggestion yet.')}</p>`;
  const most = Math.max(...history);
  const step = 400 / Math.max(1, history.length - 1);
  const points = history.map(
    (ms, i) => `${(i * step + 4).toFixed(1)},${(64 - (ms / most) * 58).toFixed(1)}`,
  );
  const sorted = history.toSorted((a, b) => a - b);
  const median = Math.round(sorted[(sorted.length - 1) >> 1]);
  const label = t(
    'The last {0} suggestions: median {1} ms, at most {2} ms',
    history.length,
    median,
    Math.round(most),
  );
  const rows = history.slice(-10).map((ms, i, last) => [i - last.length + 1, Math.round(ms)]);
  return html`<p>${label}</p>
    <svg class="spark" role="img" aria-label="${label}" viewBox="0 0 408 70">
      <polyline points="${points.join(' ')}" />
      <circle cx="${points.at(-1)!.split(',')[0]}" cy="${points.at(-1)!.split(',')[1]}" r="3" />
    </svg>
    <details>
      <summary>${t('The last ten as a table')}</summary>
      ${table(t('Time to a suggestion'), [t('Suggestion'), t('Milliseconds')], rows)}
    </details>`;
}
