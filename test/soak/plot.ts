/** The soak as a picture: memory, GPU buffers and latency over edits. */
import type { Sample } from './soak';

interface Line {
  name: string;
  of: (sample: Sample) => number;
}
interface Panel {
  title: string;
  lines: readonly Line[];
}

const MEGA = 1e6;
const PANELS: readonly Panel[] = [
  {
    title: 'Memory in MB',
    lines: [
      { name: 'worker, resident', of: ({ workerRss }) => workerRss / MEGA },
      { name: 'host, resident', of: ({ hostRss }) => hostRss / MEGA },
      { name: 'host, heap', of: ({ hostHeap }) => hostHeap / MEGA },
      { name: 'worker, heap', of: ({ workerHeap }) => workerHeap / MEGA },
    ],
  },
  {
    title: 'Buffers on the GPU',
    lines: [
      { name: 'all', of: ({ gpuBuffers }) => gpuBuffers },
      { name: 'of earlier prompts', of: ({ pages }) => pages },
    ],
  },
  {
    title: 'Edit to answer in ms',
    lines: [
      { name: '95 % within', of: ({ p95Ms }) => p95Ms },
      { name: 'processor, 95 %', of: ({ p95CpuMs }) => p95CpuMs },
      { name: 'median', of: ({ p50Ms }) => p50Ms },
    ],
  },
];

const WIDTH = 760;
const HEIGHT = 150;
const LEFT = 52;
const RIGHT = 140;
const GAP = 46;

/** An SVG that reads in light and dark. */
export function plot(samples: readonly Sample[]): string {
  const height = PANELS.length * (HEIGHT + GAP) + 10;
  const panels = PANELS.map((panel, i) => draw(panel, samples, 30 + i * (HEIGHT + GAP)));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img"
  aria-label="Memory, GPU buffers and latency over ${samples.at(-1)!.edits} edits">
<style>
  text { font: 12px system-ui, sans-serif; fill: #444 }
  .title { font-weight: 600 }
  .grid { stroke: #8884 }
  path { fill: none; stroke-width: 2 }
  .c0 { stroke: #1a85ff } .c1 { stroke: #d18616 } .c2 { stroke: #388a34 } .c3 { stroke: #b180d7 }
  @media (prefers-color-scheme: dark) { text { fill: #ccc } }
</style>
${panels.join('\n')}
</svg>
`;
}

function draw({ title, lines }: Panel, samples: readonly Sample[], top: number): string {
  const most = niceAbove(Math.max(...lines.flatMap(({ of }) => samples.map(of))));
  const last = samples.at(-1)!.edits;
  const x = (edits: number) => round(LEFT + (edits / last) * (WIDTH - LEFT - RIGHT));
  const y = (value: number) => round(top + HEIGHT - (value / most) * HEIGHT);
  const grid = [0, most / 2, most].map(
    (value) =>
      `<path class="grid" d="M${x(0)} ${y(value)}H${x(last)}"/>` +
      `<text x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end">${value}</text>`,
  );
  const heights = spread(lines.map(({ of }) => y(of(samples.at(-1)!))));
  const curves = lines.map(({ name, of }, i) => {
    const points = samples.map((sample) => `${x(sample.edits)} ${y(of(sample))}`);
    const label = `<text x="${x(last) + 8}" y="${heights[i] + 4}">${name}</text>`;
    return `<path class="c${i}" d="M${points.join('L')}"/>${label}`;
  });
  const edits = `<text x="${x(last)}" y="${top + HEIGHT + 16}" text-anchor="end">${last} edits</text>`;
  const heading = `<text class="title" x="${LEFT}" y="${top - 10}">${title}</text>`;
  return [heading, ...grid, ...curves, edits].join('\n');
}

/** Labels at these heights, moved apart so that they can be read. */
function spread(heights: readonly number[]): number[] {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a] - heights[b]);
  const placed = [...heights];
  order.forEach((line, i) => {
    if (i > 0) placed[line] = Math.max(placed[line], placed[order[i - 1]] + 15);
  });
  return placed;
}

/** The next of 1, 2, 4, 6 and 8 times a power of ten. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= value)!;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
