import { Tokenizer as Library } from '@huggingface/tokenizers';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { Tokenizer } from '../../src/model/tokenizer';
import { seededRandom } from '../../src/engine/sample';

const tiny = JSON.parse(
  readFileSync('test/fixtures/tiny-tokenizer/tokenizer.json', 'utf8'),
) as Record<string, unknown>;

/** The library alone on the whole text: what Tokenizer's ids must equal. */
const wholeText = (json: object, text: string) => {
  const library = new Library({ ...json, added_tokens: [] }, {});
  return text === '' ? [] : library.encode(text, { add_special_tokens: false }).ids;
};

const decoded = (tokenizer: Tokenizer, ids: number[]) => {
  const decoder = tokenizer.createDecoder();
  return ids.map((id) => decoder.push(id)).join('') + decoder.flush();
};

/** Random text out of pieces that are hard on pre-tokenizers. */
const randomText = (random: () => number) => {
  const pieces = [
    'a',
    'return',
    ' ',
    '  ',
    '    ',
    '\n',
    '\n',
    '\r\n',
    '\r',
    '\t',
    'é',
    '😀',
    '()',
    ');',
  ].concat([
    ' =',
    "'s",
    '1',
    '23',
    '\u00a0',
    '\u2028',
    '\n\n',
    'const x',
    '<|end|>',
    '日本',
    '\u0000',
  ]);
  const length = Math.floor(random() * 40);
  return Array.from({ length }, () => pieces[Math.floor(random() * pieces.length)]).join('');
};

describe('tokenizer', () => {
  const tokenizer = Tokenizer.fromJson(tiny, 'tokenizer.json');

  it('encodes line by line exactly as the whole text', () => {
    const random = seededRandom(1);
    for (let i = 0; i < 1000; i++) {
      const text = randomText(random);
      assert.deepEqual(tokenizer.encode(text), wholeText(tiny, text), JSON.stringify(text));
    }
  });

  it('decodes what it encoded', () => {
    const random = seededRandom(2);
    for (let i = 0; i < 300; i++) {
      const text = randomText(random);
      assert.equal(decoded(tokenizer, tokenizer.encode(text)), text);
    }
  });

  it('re-encodes only the line that changed', () => {
    const text = Array.from({ length: 2000 }, (_, i) => `const a = return(${i});\n`).join('');
    const timed = (tail: string) => {
      const begin = performance.now();
      tokenizer.encode(text + tail);
      return performance.now() - begin;
    };
    const cold = timed('');
    const warm = Math.min(...['l', 'le', 'let', 'let ', 'let b'].map(timed));
    assert.ok(warm < cold / 4, `${warm} ms after one keystroke, ${cold} ms from nothing`);
    // Many other lines push these out: the memory is bounded, the result the same.
    for (let i = 0; i < 5000; i++) tokenizer.encode(`\nline ${i}`);
    assert.deepEqual(tokenizer.encode(text), wholeText(tiny, text));
  });

  it('knows special tokens by name only, never in text', () => {
    assert.equal(tokenizer.special('<|end|>'), 0);
    assert.equal(tokenizer.special('<|prefix|>'), 3);
    assert.equal(tokenizer.special('<s>'), null);
    assert.deepEqual([...tokenizer.specialIds], [0, 1, 2, 3, 4, 5, 6]);
    const ids = tokenizer.encode('x <|end|> y <|prefix|>');
    assert.ok(ids.length > 8);
    assert.ok(ids.every((id) => !tokenizer.specialIds.has(id)));
    assert.equal(decoded(tokenizer, ids), 'x <|end|> y <|prefix|>');
    assert.equal(decoded(tokenizer, [0, ...tokenizer.encode('a'), 1]), 'a');
  });

  it('holds back incomplete characters', () => {
    const ids = tokenizer.encode('😁é');
    const decoder = tokenizer.createDecoder();
    const pushed = ids.map((id) => decoder.push(id));
    assert.ok(pushed.length >= 3);
    assert.equal(pushed[0], '');
    assert.ok(pushed.every((text) => !text.includes('\uFFFD')));
    assert.equal(pushed.join(''), '😁é');
    assert.equal(decoder.flush(), '');
    const cut = tokenizer.createDecoder();
    assert.equal(cut.push(ids[0]), '');
    assert.equal(cut.flush(), '\uFFFD');
    assert.equal(decoded(tokenizer, tokenizer.encode('\uFEFFx')), '\uFEFFx');
  });

  it('knows which tokens start a line', () => {
    const [a, newline] = tokenizer.encode('a\n  ');
    assert.deepEqual([tokenizer.startsLine(a), tokenizer.startsLine(newline)], [false, true]);
    assert.equal(tokenizer.startsLine(tokenizer.special('<|end|>')!), false);
  });

  it('encodes the whole text where lines are not independent', () => {
    // GPT-2's own pre-tokenizer takes a blank and a line break together.
    const { vocab, merges, ...model } = tiny.model as { vocab: object; merges: string[][] };
    const gpt2 = {
      ...tiny,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
      model: { ...model, vocab: { ...vocab, ĠĊ: 295 }, merges: [['Ġ', 'Ċ'], ...merges] },
    };
    const foreign = Tokenizer.fromJson(gpt2, 'tokenizer.json');
    const random = seededRandom(3);
    for (let i = 0; i < 300; i++) {
      const text = randomText(random);
      assert.deepEqual(foreign.encode(text), wholeText(gpt2, text), JSON.stringify(text));
    }
  });

  describe('in the style of Llama 2', () => {
    const bytes = Array.from(
      { length: 256 },
      (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    );
    const words = ['▁', 'a', 'b', 'c', '▁a', 'ab', '▁ab', '▁▁'];
    const vocabulary = ['<unk>', '<s>', '</s>', ...bytes, ...words];
    const llama = {
      added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => ({ content, id, special: true })),
      normalizer: {
        type: 'Sequence',
        normalizers: [
          { type: 'Prepend', prepend: '▁' },
          { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
        ],
      },
      pre_tokenizer: null,
      post_processor: null,
      decoder: {
        type: 'Sequence',
        decoders: [
          { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
          { type: 'ByteFallback' },
          { type: 'Fuse' },
          { type: 'Strip', content: ' ', start: 1, stop: 0 },
        ],
      },
      model: {
        type: 'BPE',
        unk_token: '<unk>',
        byte_fallback: true,
        fuse_unk: true,
        vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
        merges: ['▁ ▁', '▁ a', 'a b', '▁a b'],
      },
    };
    const foreign = Tokenizer.fromJson(llama, 'tokenizer.json');
    const id = (token: string) => vocabulary.indexOf(token);

    it('encodes and decodes', () => {
      assert.deepEqual(foreign.encode('ab c'), [id('▁ab'), id('▁'), id('c')]);
      assert.deepEqual(foreign.encode('a\nb'), [id('▁a'), id('<0x0A>'), id('b')]);
      assert.equal(foreign.special('<s>'), 1);
      assert.ok(foreign.startsLine(id('<0x0A>')));
    });

    it('keeps the blanks a continuation starts with', () => {
      assert.equal(decoded(foreign, [id('▁ab'), id('▁'), id('a')]), ' ab a');
    });

    it('holds back incomplete characters', () => {
      const decoder = foreign.createDecoder();
      const ids = [...Buffer.from('é😀')].map((byte) => 3 + byte);
      assert.deepEqual(
        ids.map((byte) => decoder.push(byte)),
        ['', 'é', '', '', '', '😀'],
      );
      decoder.push(ids[0]);
      assert.equal(decoder.flush(), '\uFFFD');
      assert.equal(decoder.push(id('a')), 'a');
    });
  });

  describe('of the bundled model', () => {
    const dir = 'models/lckv-code-55m';
    before(function () {
      if (!existsSync(dir)) this.skip();
    });

    it('gives the ids that the trained tokenizer gives in Python', async () => {
      const bundled = await Tokenizer.open(dir);
      const cases = JSON.parse(
        readFileSync('test/fixtures/bundled/tokenizer-cases.json', 'utf8'),
      ) as { text: string; ids: number[] }[];
      assert.ok(cases.length > 20);
      for (const { text, ids } of cases) {
        assert.deepEqual(bundled.encode(text), ids, JSON.stringify(text));
        assert.equal(decoded(bundled, ids), text);
      }
      assert.equal(bundled.special('<|end|>'), 0);
    });

    it('encodes line by line', async () => {
      const bundled = await Tokenizer.open(dir);
      const json = JSON.parse(readFileSync(`${dir}/tokenizer.json`, 'utf8')) as object;
      const random = seededRandom(4);
      for (let i = 0; i < 300; i++) {
        const text = randomText(random);
        assert.deepEqual(bundled.encode(text), wholeText(json, text), JSON.stringify(text));
      }
    });
  });

  it('refuses files that are no tokenizer', () => {
    const refused = (json: unknown, message: RegExp) =>
      assert.throws(() => Tokenizer.fromJson(json, 'dir/tokenizer.json'), message);
    refused([], /dir\/tokenizer\.json: expected a JSON object/);
    refused({}, /dir\/tokenizer\.json: found a tokenizer that cannot be used/);
    refused({ ...tiny, added_tokens: 1 }, /added_tokens: found 1, expected a list/);
    refused(
      { ...tiny, added_tokens: [{ id: -1, content: 'x' }] },
      /added_tokens\[0\]: id: found -1/,
    );
  });

  it('names the file that is missing', async () => {
    await assert.rejects(Tokenizer.open('/nowhere'), /\/nowhere\/tokenizer\.json: cannot be read/);
  });
});
