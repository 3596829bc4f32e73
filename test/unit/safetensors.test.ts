import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Safetensors } from '../../src/model/safetensors';
import { safetensors, safetensorsOf } from '../checkpoints';

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

describe('safetensors', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lckv-'));
  });
  after(() => rm(dir, { recursive: true }));

  const write = async (bytes: Uint8Array) => {
    const path = join(dir, 'some.safetensors');
    await writeFile(path, bytes);
    return path;
  };

  const opened = async <T>(bytes: Uint8Array, use: (file: Safetensors) => Promise<T>) => {
    const file = await Safetensors.open(await write(bytes));
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  };

  it('reads back shapes, dtypes and bytes, at odd offsets too', async () => {
    const odd = { dtype: 'I8', shape: [3], data: Uint8Array.of(1, 255, 3) };
    const even = { dtype: 'F32', shape: [2, 1], data: floats(1.5, -2) };
    const half = { dtype: 'BF16', shape: [1], data: Uint8Array.of(0x80, 0x3f) };
    const scalar = { dtype: 'F16', shape: [], data: Uint8Array.of(0, 0x3c) };
    const empty = { dtype: 'F32', shape: [0, 4], data: new Uint8Array() };
    const tensors = { odd, even, half, scalar, empty };
    await opened(safetensors(tensors), async (file) => {
      for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
        const entry = file.entries.get(name)!;
        assert.deepEqual([entry.dtype, entry.shape], [dtype, shape]);
        const bytes = await file.read(name);
        assert.deepEqual([...bytes], [...data]);
        assert.equal(bytes.byteOffset % 8, 0);
      }
      assert.equal(file.entries.size, 5);
      await assert.rejects(file.read('other'), /no tensor 'other'/);
    });
  });

  it('accepts metadata, padding and escaped names', async () => {
    const header =
      '{"__metadata__":{"format":"pt","}{":"\\""},' +
      '"a\\"{b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   ';
    await opened(safetensorsOf(header, Uint8Array.of(7)), async (file) => {
      assert.deepEqual([...file.entries.keys()], ['a"{b']);
      assert.deepEqual([...(await file.read('a"{b'))], [7]);
    });
  });

  const tensor = (fields: object) => JSON.stringify({ dtype: 'F32', shape: [2], ...fields });
  const one = (fields: object, dataBytes = 8) =>
    safetensorsOf(
      `{"w":${tensor({ data_offsets: [0, 8], ...fields })}}`,
      new Uint8Array(dataBytes),
    );
  const two = (a: [number, number], b: [number, number], dataBytes: number) =>
    safetensorsOf(
      `{"a":${tensor({ data_offsets: a })},"b":${tensor({ data_offsets: b })}}`,
      new Uint8Array(dataBytes),
    );
  const whole = one({});
  const lied = (headerBytes: bigint) => {
    const bytes = Buffer.from(whole);
    bytes.writeBigUInt64LE(headerBytes);
    return bytes;
  };

  const bad: [string, Uint8Array, RegExp][] = [
    ['an empty file', new Uint8Array(), /found 0 bytes, expected at least 8/],
    ['a truncated header', whole.subarray(0, 20), /header length: found \d+, expected at most 12/],
    ['truncated data', whole.subarray(0, -1), /w: data_offsets: found \[0,8\].* at most 7/],
    ['a header of 2^63 bytes', lied(2n ** 63n), /header length: found 9223372036854775808/],
    ['a header of 2^64-1 bytes', lied(2n ** 64n - 1n), /header length: found 18446744073709551615/],
    ['a header that is not JSON', safetensorsOf('{"w":'), /header: found 5 bytes that are not/],
    ['a header that is a list', safetensorsOf('[]'), /expected a JSON object, found \[\]/],
    ['bad UTF-8', safetensorsOf(Uint8Array.of(0x7b, 0xff, 0x7d)), /not UTF-8 JSON/],
    ['an unknown dtype', one({ dtype: 'F31' }), /w: dtype: found "F31", expected one of .*F32/],
    ['a missing dtype', one({ dtype: undefined }), /w: dtype: found nothing, expected a string/],
    ['a negative size', one({ shape: [-2] }), /w: shape: found \[-2\]/],
    ['a fractional size', one({ shape: [0.5, 4] }), /w: shape: found \[0\.5,4\]/],
    ['a missing shape', one({ shape: null }), /w: shape: found null/],
    ['absurdly many dimensions', one({ shape: Array(9).fill(1) }), /w: shape: .*at most 8/],
    ['a size beyond 2^53', one({ shape: [2 ** 53] }), /w: shape: found \[9007199254740992\]/],
    ['an overflowing product', one({ shape: [2 ** 40, 2 ** 40] }), /span of 4\.8\d+e\+24 bytes/],
    [
      'a product of 0 times infinity',
      one({ shape: [0, ...Array<number>(7).fill(2 ** 52)] }),
      /span/,
    ],
    ['a wrong span', one({ shape: [3] }), /span of 12 bytes for F32 \[3\], not 8/],
    ['offsets in reverse', one({ data_offsets: [8, 0] }), /w: data_offsets: found \[8,0\]/],
    ['offsets that are no numbers', one({ data_offsets: ['0', '8'] }), /w: data_offsets/],
    ['offsets beyond the file', one({ data_offsets: [2 ** 50, 2 ** 50 + 8] }), /at most 8/],
    ['overlapping tensors', two([0, 8], [4, 12], 12), /b: .*begin 4, expected 8 .*overlap/],
    ['a hole', two([0, 8], [12, 20], 20), /b: .*begin 12, expected 8 .*hole/],
    ['bytes after the last tensor', one({}, 9), /found \d+ bytes, expected \d+ by its header/],
    [
      'the same name twice',
      safetensorsOf(
        `{"w":${tensor({ data_offsets: [0, 8] })},"w":${tensor({ data_offsets: [0, 8] })}}`,
        new Uint8Array(8),
      ),
      /w: found twice in the header, expected once/,
    ],
  ];
  for (const [what, bytes, message] of bad) {
    it(`refuses ${what}`, async () => {
      const path = await write(bytes);
      await assert.rejects(Safetensors.open(path), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.startsWith(path), 'the message names the file');
        return true;
      });
    });
  }

  it('allocates nothing from a number of the file', async () => {
    const path = await write(lied(99_999_999n));
    const before = process.memoryUsage().arrayBuffers;
    await assert.rejects(Safetensors.open(path));
    assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
  });
});
