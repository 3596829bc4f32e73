/**
 * `plot ROWS.jsonl ...`: how costs grow, as SVG in docs/, from rows that `decode` and `memory` printed:
 * decode time and prefill time against context, memory against warm documents.
 */
import { readFile, writeFile } from 'node:fs/promises';
import type { Row } from './report';

interface Plot {
  file: string;
  bench: string;
  title: string;
  x: string;
  y: string;
  xLabel: string;
  yLabel: string;
}

const PLOTS: Plot[] = [
  {
    file: 'docs/decode.svg',
    bench: 'decode',
    title: 'Decode of a token',
    ...{ x: 'tokens', xLabel: 'tokens in the cache', y: 'decodeMs', yLabel: 'ms' },
  },
  {
    file: 'docs/prefill.svg',
    bench: 'decode',
    title: 'Prefill',
    ...{ x: 'tokens', xLabel: 'tokens', y: 'prefillMs', yLabel: 'ms' },
  },
  {
    file: 'docs/memory.svg',
    bench: 'memory',
    title: 'Keys and values of warm documents',
    ...{ x: 'documents', xLabel: 'documents of 1,024 tokens', y: 'warmMiB', yLabel: 'MiB' },
  },
];
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00'];
const SIZE = { width: 560, height: 320, left: 56, right: 130, top: 36, bottom: 44 };

/** Draws what there are rows for. */
export async function plot(paths: string[]): Promise<void> {
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line.startsWith('{'));
  const rows = lines.map((line) => JSON.parse(line) as Row);
  for (const it of PLOTS) {
    const mine = rows.filter((row) => row.bench === it.bench && typeof row[it.y] === 'number');
    if (mine.length === 0) continue;
    await writeFile(it.file, drawn(it, mine));
    console.log(`${it.file}: ${mine.length} points`);
  }
}

function drawn({ title, x, y, xLabel, yLabel }: Plot, rows: Row[]): string {
  const { width, height, left, right, top, bottom } = SIZE;
  const most = (name: string) => Math.max(...rows.map((row) => Number(row[name])));
  const [xTicks, yTicks] = [ticks(most(x)), ticks(most(y))];
  const [xMost, yMost] = [xTicks.at(-1)!, yTicks.at(-1)!];
  const atX = (value: number) => round(left + (value / xMost) * (width - left - right));
  const atY = (value: number) => round(height - bottom - (value / yMost) * (height - top - bottom));
  const nameOf = (row: Row) => `${row.layout} ${row.precision}`;
  const series = [...new Set(rows.map(nameOf))].map((name) => ({
    name,
    points: rows
      .filter((row) => nameOf(row) === name)
      .sort((a, b) => Number(a[x]) - Number(b[x]))
      .map((row) => [atX(Number(row[x])), atY(Number(row[y]))]),
  }));
  const text = (px: number, py: number, value: string | number, anchor = 'middle') =>
    `<text x="${px}" y="${py}" text-anchor="${anchor}">${value}</text>`;
  const parts = [
    ...yTicks.map((value) => {
      const line = `<path class="grid" d="M${left} ${atY(value)}H${width - right}"/>`;
      return line + text(left - 6, atY(value) + 4, value, 'end');
    }),
    ...xTicks.map((value) => text(atX(value), height - bottom + 16, value)),
    text(left, 20, `${title}, ${yLabel} · ${rows[0].shape}, ${rows[0].device}`, 'start'),
    text((left + width - right) / 2, height - 8, xLabel),
    ...series.map(({ name, points: at }, i) => {
      const colour = COLOURS[i % COLOURS.length];
      const dots = at.map(([px, py]) => `<circle cx="${px}" cy="${py}" r="3" fill="${colour}"/>`);
      const line = `<polyline points="${at.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`;
      const [endX, endY] = at.at(-1)!;
      return line + dots.join('') + text(endX + 8, endY + 4, name, 'start');
    }),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<style>text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd}</style>
<rect width="${width}" height="${height}" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}

/** Round numbers from 0 to at least `most`, four to six of them. */
function ticks(most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [0.2, 0.25, 0.5, 1, 2].map((it) => it * power).find((it) => most / it <= 5)!;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => round(i * step));
}

function round(x: number): number {
  return Number(x.toPrecision(5));
}
