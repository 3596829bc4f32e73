import { strict as assert } from 'node:assert';
import type { DeviceInfo, ModelInfo, Timings } from '../../src/protocol';
import { describeStatus, type Status } from '../../src/host/status';

const device: DeviceInfo = {
  vendor: 'acme',
  architecture: 'a1',
  description: 'Acme A1',
  software: false,
  subgroups: true,
};
const model: ModelInfo = {
  name: 'lckv-code-42m',
  parameters: 42_000_000,
  layers: 12,
  kvLayers: 3,
  contextTokens: 1024,
  kvBytesPerToken: 1536,
  standardKvBytesPerToken: 6144,
  weightBytes: 84_000_000,
  fillInTheMiddle: true,
};
const timings: Timings = {
  promptTokens: 100,
  reusedTokens: 97,
  passes: 4,
  generatedTokens: 8,
  prefillMs: 10,
  firstTextMs: 15,
  totalMs: 40,
};
const ready = { kind: 'ready', device, model } as const;
const slow = { ...ready, device: { ...device, software: true } };

const statuses: Status[] = [
  { kind: 'off' },
  { kind: 'starting', fraction: 0.42, what: 'weights' },
  ready,
  slow,
  { kind: 'thinking', ready },
  { kind: 'failed', message: 'It broke. Fix it.', retryMs: 2000 },
  { kind: 'failed', message: 'It is not there. Choose another.', retryMs: null },
];

describe('describeStatus', () => {
  it('tells every state apart, for eyes and for screen readers', () => {
    const texts = statuses.map((status) => describeStatus(status));
    assert.equal(new Set(texts.map(({ tooltip }) => tooltip)).size, texts.length - 1);
    for (const { text, label, command } of texts) {
      assert.match(text, /^\$\([\w~-]+\) LCKV/);
      assert.match(label, /^LCKV completion: /);
      assert.ok(!label.includes('$('), label);
      assert.match(command, /^lckv\.\w+$/);
    }
  });

  it('says what to do about an error', () => {
    const [retried, stuck] = statuses.slice(-2).map((status) => describeStatus(status));
    assert.match(retried.tooltip, /It broke\. Fix it\.\n\nIt starts again in 2 s/);
    assert.match(stuck.tooltip, /until you \[start it again\]\(command:lckv\.restartWorker\)/);
    assert.equal(stuck.command, 'lckv.showLog');
  });

  it('shows the progress of loading', () => {
    assert.match(describeStatus(statuses[1]).text, /42 %/);
  });

  it('shows device, model and the last timings', () => {
    const { tooltip } = describeStatus(ready, timings);
    assert.match(tooltip, /lckv-code-42m.*42 M parameters, on Acme A1/);
    assert.match(tooltip, /3 of 12 layers: 4 times less memory/);
    assert.match(tooltip, /97 of 100 prompt tokens came from the cache/);
  });

  it('warns where the model runs on the CPU', () => {
    assert.match(describeStatus(slow).text, /warning/);
    assert.match(describeStatus(slow).tooltip, /no GPU driver/);
  });
});
