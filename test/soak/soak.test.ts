// A short soak, and that a long one would notice what it looks for.
import { strict as assert } from 'node:assert';
import { complaints, leaks } from './judge';
import { plot } from './plot';
import { soak, type Sample } from './soak';

const sampleOf = (edits: number, changes: Partial<Sample> = {}): Sample => ({
  ...{ edits, seconds: edits / 40, answers: 500, p50Ms: 10, p95Ms: 100, p95CpuMs: 60 },
  ...{ hostHeap: 3e7, hostRss: 1e8, workerHeap: 2e7, workerRss: 3e8 },
  ...{ gpuBuffers: 120, gpuBytes: 2e6, warmPrompts: 20 },
  ...{ pages: 20, pageBytes: 9e5, pageBudget: 1e6, ...changes },
});
const samplesOf = (change: (share: number) => Partial<Sample>) =>
  Array.from({ length: 20 }, (_, i) => sampleOf(1000 * (i + 1), change(i / 19)));

describe('a soak', function () {
  before(function () {
    if (process.platform === 'win32') this.skip(); // no signals to a worker
  });

  it('leaves no GPU buffer behind', async function () {
    this.timeout(120_000);
    const samples = await soak({ edits: 600, every: 200 });
    assert.deepEqual(leaks(samples), []);
    assert.ok(samples.every(({ answers, warmPrompts }) => answers > 50 && warmPrompts > 3));
  });

  it('notices a buffer that is not given back', async function () {
    this.timeout(120_000);
    const samples = await soak({ edits: 300, every: 100, cacheBytes: 1 << 17, leak: '^snapshot' });
    assert.match(leaks(samples)[0], /GPU buffers/);
  });

  it('is content with what stays level', () => {
    const level = samplesOf((share) => ({ hostRss: 1e8 * (1 + 0.03 * share) }));
    assert.deepEqual(complaints(level), []);
    const warm = samplesOf((share) => {
      const pages = 20 + Math.round(share * 5);
      return { pages, gpuBuffers: 100 + pages };
    });
    assert.deepEqual(complaints(warm), []);
  });

  it('notices growth of every kind', () => {
    for (const name of ['hostHeap', 'hostRss', 'workerHeap', 'workerRss', 'gpuBytes'] as const) {
      const grown = samplesOf((share) => ({ [name]: sampleOf(0)[name] * (1 + 0.2 * share) }));
      assert.match(complaints(grown).join(), /grew by 1?\d\.\d %/, name);
    }
    assert.match(complaints(samplesOf((share) => ({ p95CpuMs: 60 + 20 * share }))).join(), /95th/);
    const buffers = samplesOf((share) => ({ gpuBuffers: 120 + Math.round(4 * share) }));
    assert.match(complaints(buffers).join(), /100 to 104 GPU buffers/);
    const pages = samplesOf((share) => ({ pageBytes: 9e5 * (1 + 0.2 * share) }));
    assert.match(complaints(pages).join(), /bytes in GPU buffers of earlier prompts/);
  });

  it('draws every line within its picture', () => {
    const svg = plot(samplesOf(() => ({})));
    assert.equal([...svg.matchAll(/<path class="c\d"/g)].length, 9);
    const numbers = [...svg.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [+x, +y]);
    assert.ok(numbers.every(([x, y]) => x >= 0 && x <= 760 && y >= 0 && y <= 600));
  });
});
