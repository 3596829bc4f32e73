import { strict as assert } from 'node:assert';
import { Hub } from '../../src/hub/hub';
import { Meter } from '../../src/hub/meter';
import { parseRepository } from '../../src/hub/repository';
import { HubServer } from '../hubServer';

const never = new AbortController().signal;
const HEX = '0123456789abcdef'.repeat(4);
const ADDRESS = 'https://hub/owner/name';

const small = (rfilename: string, size = 10) => ({ rfilename, size, blobId: HEX.slice(0, 40) });
const large = (rfilename: string, size = 1000) => ({ rfilename, size, lfs: { sha256: HEX, size } });
const parse = (siblings: unknown, rest: object = {}) =>
  parseRepository(
    JSON.stringify({ sha: HEX.slice(0, 40), siblings, ...rest }),
    'owner/name',
    ADDRESS,
  );
const needed = [small('config.json'), small('tokenizer.json', 20)];

describe('repository', () => {
  it('becomes the files of a model folder, smallest first, and nothing else', () => {
    const others = ['README.md', 'pytorch_model.bin', '../config.json', 'onnx/model.safetensors'];
    const siblings = [large('model.safetensors'), ...others.map((name) => small(name)), ...needed];
    const { files, totalBytes, licence } = parse([...siblings, small('LICENSE', 5)]);
    assert.deepEqual(
      files.map(({ name }) => name),
      ['LICENSE', 'config.json', 'tokenizer.json', 'model.safetensors'],
    );
    assert.deepEqual(files.at(-1)!.digest, { algorithm: 'sha256', hex: HEX });
    assert.equal(totalBytes, 1035);
    assert.equal(licence, null);
  });

  it('has its licence from the model card', () => {
    const siblings = [large('model.safetensors'), ...needed];
    assert.equal(parse(siblings, { cardData: { license: 'mit' } }).licence, 'mit');
    assert.equal(parse(siblings, { cardData: { license: ['mit'] } }).licence, null);
  });

  it('may be in shards', () => {
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const index = small('model.safetensors.index.json');
    const { files } = parse([...shards.map((name) => large(name)), index, ...needed]);
    assert.deepEqual(files.map(({ name }) => name).slice(-2), shards);
    assert.ok(files.some(({ name }) => name === 'model.safetensors.index.json'));
  });

  const wrong: [string, unknown, RegExp][] = [
    ['no list', null, /no commit and list of files/],
    ['no weights', needed, /no model\.safetensors \(or .*index\.json/],
    ['only an index', [small('model.safetensors.index.json'), ...needed], /no model\.safetensors/],
    ['no tokenizer', [needed[0], large('model.safetensors')], /no tokenizer\.json, expected/],
    ['no digest', [{ rfilename: 'model.safetensors', size: 1 }, ...needed], /no size and digest/],
    [
      'a digest that is none',
      [{ rfilename: 'model.safetensors', size: 1, lfs: { sha256: 'x' } }, ...needed],
      /no size and digest/,
    ],
    ['no size', [{ ...large('model.safetensors'), size: -1 }, ...needed], /no size and digest/],
    ['an entry that is null', [null, ...needed], /no model\.safetensors/],
  ];
  for (const [what, siblings, sentence] of wrong) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => parse(siblings), sentence);
    });
  }

  it('is refused when the answer is a page of something else', () => {
    assert.throws(() => parseRepository('<html>', 'owner/name', ADDRESS), /Check HF_ENDPOINT/);
    assert.throws(() => parseRepository('null', 'owner/name', ADDRESS), /Check HF_ENDPOINT/);
  });
});

describe('hub', () => {
  let server: HubServer;
  before(async () => (server = await HubServer.start()));
  after(() => server.stop());

  it('is only asked about ids that are one', async () => {
    const hub = new Hub({ endpoint: server.endpoint });
    for (const id of ['name', '../a', 'a/..', 'a/b/c', 'a/b?c', 'a b/c', '/a', 'a/', 'a/b..c'])
      await assert.rejects(hub.lookUp(id, never), /expected a repository id like owner\/name/, id);
    assert.deepEqual(server.seen, []);
  });

  it('says what to do about a model that is not there or is not public', async () => {
    const hub = new Hub({ endpoint: `${server.endpoint}/` });
    await assert.rejects(hub.lookUp('owner/none', never), /status 401.*spelling.*HF_TOKEN/s);
    assert.equal(server.seen.length, 1);
  });

  it('is asked again when it is busy', async () => {
    server.repositories.set('owner/name', { files: {} });
    const answers = [429, 503];
    server.misbehave = () => ({ status: answers.shift() });
    const hub = new Hub({ endpoint: server.endpoint, retryMs: 1 });
    await assert.rejects(hub.lookUp('owner/name', never), /found no config\.json/);
    assert.deepEqual(answers, []);
  });

  it('says so when it cannot be reached', async () => {
    const gone = await HubServer.start();
    const hub = new Hub({ endpoint: gone.endpoint, retryMs: 1 });
    await gone.stop();
    await assert.rejects(hub.lookUp('a/b', never), /connection was lost \(.*Tried 6 times/);
  });

  it('stops waiting when it is cancelled', async () => {
    server.misbehave = () => ({ status: 503, retryAfter: '60' });
    const hub = new Hub({ endpoint: server.endpoint });
    const looking = hub.lookUp('owner/name', AbortSignal.timeout(50));
    await assert.rejects(looking, { name: /AbortError|TimeoutError/ });
  });

  it('takes its address and token from the environment', async () => {
    const { HF_ENDPOINT, HF_TOKEN } = process.env;
    try {
      process.env.HF_ENDPOINT = server.endpoint;
      process.env.HF_TOKEN = 'from the environment';
      server.misbehave = () => ({});
      await assert.rejects(new Hub().lookUp('owner/name', never), /found no config\.json/);
      assert.equal(server.seen.at(-1)!.authorization, 'Bearer from the environment');
      process.env.HF_ENDPOINT = 'hub';
      assert.throws(() => new Hub(), /HF_ENDPOINT: found 'hub', expected an address/);
      delete process.env.HF_ENDPOINT;
      assert.equal(new Hub().address('a/b'), 'https://huggingface.co/a/b');
    } finally {
      delete process.env.HF_ENDPOINT;
      delete process.env.HF_TOKEN;
      Object.assign(process.env, HF_ENDPOINT && { HF_ENDPOINT }, HF_TOKEN && { HF_TOKEN });
    }
  });
});

describe('meter', () => {
  it('tells speed and time left, of what is new', () => {
    let ms = 0;
    const meter = new Meter(10_000, () => ms);
    meter.add(4000, false);
    assert.deepEqual(meter.progress(), {
      doneBytes: 4000,
      totalBytes: 10_000,
      bytesPerSecond: null,
      secondsLeft: null,
    });
    for (; ms < 2000; ms += 100) meter.add(100, true);
    const { doneBytes, bytesPerSecond, secondsLeft } = meter.progress();
    assert.equal(doneBytes, 6000);
    assert.ok(Math.abs(bytesPerSecond! - 1000) < 100, String(bytesPerSecond));
    assert.ok(Math.abs(secondsLeft! - 4) < 0.5, String(secondsLeft));
  });

  it('forgets an old speed', () => {
    let ms = 0;
    const meter = new Meter(1e9, () => ms);
    for (; ms < 10_000; ms += 100) meter.add(1000, true);
    for (; ms < 20_000; ms += 100) meter.add(10, true);
    assert.ok(meter.progress().bytesPerSecond! < 200);
  });
});
