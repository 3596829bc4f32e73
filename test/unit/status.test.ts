import { strict as assert } from 'node:assert';
import type { DeviceInfo, ModelInfo, Timings } from '../../src/protocol';
import { english, say } from '../../src/sentence';
import { describeStatus, LINKED_COMMANDS, type Status } from '../../src/host/status/status';

const device: DeviceInfo = {
  vendor: 'acme',
  architecture: 'a1',
  description: 'Acme A1',
  software: false,
  subgroups: true,
};
const model: ModelInfo = {
  name: 'lckv-code-55m',
  parameters: 42_000_000,
  layers: 12,
  kvLayers: 3,
  kvSources: [0, 3, 3, 3],
  contextTokens: 1024,
  kvBytesPerToken: 1536,
  standardKvBytesPerToken: 6144,
  weightBytes: 84_000_000,
  reduced: null,
  fillInTheMiddle: true,
  snippets: false,
};
const timings: Timings = {
  promptTokens: 100,
  snippetTokens: 0,
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
  { kind: 'paused', leftMs: 8.2 * 60_000 },
  { kind: 'starting', fraction: 0.42, what: 'weights' },
  ready,
  slow,
  { kind: 'thinking', forMs: 2500, ready },
  { kind: 'failed', message: 'It broke. Fix it.', retryMs: 2000 },
  { kind: 'failed', message: 'It is not there. Choose another.', retryMs: null },
];

describe('describeStatus', () => {
  it('tells every state apart, for eyes and for screen readers', () => {
    const texts = statuses.map((status) => describeStatus(status));
    assert.equal(new Set(texts.map(({ tooltip }) => tooltip)).size, texts.length - 1);
    for (const { text, label } of texts) {
      assert.match(text, /^\$\([\w~-]+\) LCKV/);
      assert.match(label, /^LCKV completion: /);
      assert.ok(!label.includes('$('), label);
    }
  });

  it('says what was made smaller for want of memory', () => {
    const reduced = say`Memory is short for this model, so ${say`its weights are kept as ${'int8'}`}.`;
    const { tooltip } = describeStatus({ ...ready, model: { ...model, reduced } });
    assert.ok(tooltip.includes(english(reduced)));
  });

  it('says what to do about an error', () => {
    const [retried, stuck] = statuses.slice(-2).map((status) => describeStatus(status));
    assert.match(retried.tooltip, /It broke\. Fix it\.\n\nIt starts again in 2 s/);
    assert.match(stuck.tooltip, /until you \[start it again\]\(command:lckv\.restartWorker\)/);
  });

  it('shows the progress of loading and what is left of a pause', () => {
    const texts = statuses.map((status) => describeStatus(status).text);
    assert.equal(texts.filter((text) => text.includes('42 %')).length, 1);
    assert.equal(texts.filter((text) => text.endsWith('9 min')).length, 1);
  });

  it('links only commands that its tooltip may run', () => {
    for (const status of statuses)
      for (const [, command] of describeStatus(status).tooltip.matchAll(/\(command:([\w.]+)\)/g))
        assert.ok(LINKED_COMMANDS.includes(command), command);
  });

  it('shows device, model and the last timings', () => {
    const summary = {
      shown: 9,
      accepted: 4,
      p50Ms: 3.2,
      p95Ms: 90,
      reused: 0.755,
      kept: undefined,
    };
    const { tooltip } = describeStatus(ready, timings, summary);
    assert.match(tooltip, /4 of 9 suggestions accepted, median 3 ms, 95 % within 90 ms/);
    assert.match(tooltip, /76 % from memory/);
    assert.match(tooltip, /lckv-code-55m.*42 M parameters, on Acme A1/);
    assert.match(tooltip, /3 of 12 layers: 4 times less memory/);
    assert.match(tooltip, /97 of 100 prompt tokens came from the cache/);
  });

  it('counts the seconds that a suggestion takes', () => {
    const text = (forMs: number) => describeStatus({ kind: 'thinking', forMs, ready }).text;
    assert.deepEqual([text(900), text(2500)], ['$(loading~spin) LCKV', '$(loading~spin) LCKV 2 s']);
  });

  it('says where a model does not see what is behind the cursor', () => {
    const base = { ...ready, model: { ...model, fillInTheMiddle: false } };
    assert.match(describeStatus(base).tooltip, /sees only what is before the cursor/);
    assert.doesNotMatch(describeStatus(ready).tooltip, /sees only/);
  });

  it('warns where the model runs on the CPU', () => {
    assert.match(describeStatus(slow).text, /warning/);
    assert.match(describeStatus(slow).tooltip, /no GPU driver/);
  });
});
