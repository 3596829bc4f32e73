/**
 * Text to token ids and back, over @huggingface/tokenizers. Special tokens are only reached by
 * name: a source file that contains `<|end|>` is plain text.
 */
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { join } from 'node:path';
import { Fault, say } from '../sentence';
import { Fields, readJsonFile } from './fields';

/** Turns token ids into text one by one. */
export interface Decoder {
  /** The text that has become complete with this token; '' while a character is incomplete. */
  push(id: number): string;
  /** What is left, an incomplete character as U+FFFD. */
  flush(): string;
}

/** Lines whose token ids are kept. A window of source text has a few hundred. */
const MAX_CACHED_LINES = 4096;

/** The tokenizer of one model. */
export class Tokenizer {
  private readonly library: Library;
  private readonly specials: ReadonlyMap<string, number>;
  /** Byte value of each character of a byte-level vocabulary; null for other tokenizers. */
  private readonly bytes: ReadonlyMap<string, number> | null;
  /** Token ids by line; null where lines cannot be encoded one by one. */
  private readonly lines: Map<string, number[]> | null;

  private constructor(library: Library, specials: Map<string, number>, byteLevel: boolean) {
    this.library = library;
    this.specials = specials;
    this.bytes = byteLevel ? byteAlphabet() : null;
    this.lines = linesAreIndependent(library) ? new Map<string, number[]>() : null;
  }

  /** Reads `tokenizer.json` of a model folder. */
  static async open(dir: string): Promise<Tokenizer> {
    const path = join(dir, 'tokenizer.json');
    const purpose = say`A model folder holds a tokenizer.`;
    return Tokenizer.fromJson(await readJsonFile(path, purpose), path);
  }

  /** Builds a tokenizer from a parsed tokenizer.json; `file` is named in errors. */
  static fromJson(json: unknown, file: string): Tokenizer {
    const fields = new Fields(json, file);
    const added = parseAddedTokens(fields, file);
    const plain = added.filter(({ special }) => !special).map(({ source }) => source);
    const decoder = fields.raw('decoder');
    const byteLevel =
      decoder !== undefined && new Fields(decoder, `${file}: decoder`).raw('type') === 'ByteLevel';
    let library: Library;
    try {
      // Without its special tokens the library cannot find them in text.
      library = new Library({ ...Object.fromEntries(fields.all()), added_tokens: plain }, {});
    } catch (error) {
      const { message } = error as Error;
      throw new Fault(
        say`${file}: found a tokenizer that cannot be used (${message}), expected one in the format of Hugging Face tokenizers.`,
        { cause: error },
      );
    }
    const specials = added.filter(({ special }) => special);
    return new Tokenizer(
      library,
      new Map(specials.map(({ content, id }) => [content, id])),
      byteLevel,
    );
  }

  /** The id of a special token such as `<|end|>`, or null when the model has none of this name. */
  special(name: string): number | null {
    return this.specials.get(name) ?? null;
  }

  /** Ids of plain text are below this. */
  get size(): number {
    return this.library.model?.vocab.length ?? 0;
  }

  /** The ids of all special tokens. */
  get specialIds(): ReadonlySet<number> {
    return new Set(this.specials.values());
  }

  /** Token ids of plain text. Adds nothing before or after it. */
  encode(text: string): number[] {
    if (!this.lines) return this.encodeWhole(text);
    return text.split(LINE_START).flatMap((line) => this.encodeLine(line, this.lines!));
  }

  private encodeLine(line: string, lines: Map<string, number[]>): number[] {
    const ids = lines.get(line) ?? this.encodeWhole(line);
    lines.delete(line); // The youngest line is the last of the map.
    lines.set(copyOf(line), ids);
    if (lines.size > MAX_CACHED_LINES) lines.delete(lines.keys().next().value!);
    return ids;
  }

  private encodeWhole(text: string): number[] {
    return text === '' ? [] : this.library.encode(text, { add_special_tokens: false }).ids;
  }

  /** Whether a token's text begins with a line break. */
  startsLine(id: number): boolean {
    return /^\r?\n/.test(this.createDecoder().push(id));
  }

  /** A decoder for one run of tokens. Special tokens have no text. */
  createDecoder(): Decoder {
    const { bytes } = this;
    return bytes ? this.byteDecoder(bytes) : this.wholeDecoder();
  }

  private byteDecoder(bytes: ReadonlyMap<string, number>): Decoder {
    const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
    const special = this.specialIds;
    return {
      push: (id) => {
        const token = special.has(id) ? '' : (this.library.id_to_token(id) ?? '');
        const values = Array.from(token, (character) => bytes.get(character));
        // Added tokens stand in the vocabulary as they are, outside the byte alphabet.
        const spelled = values.every((value) => value !== undefined);
        const encoded = spelled ? Uint8Array.from(values) : new TextEncoder().encode(token);
        return utf8.decode(encoded, { stream: true });
      },
      flush: () => utf8.decode(),
    };
  }

  /** For tokenizers whose decoders look at neighbours: decodes what is not yet complete. */
  private wholeDecoder(): Decoder {
    const special = this.specialIds;
    const [anchor] = this.encode('a'); // Decoders may strip a leading space: never ours.
    const text = (ids: number[]) =>
      this.library.decode([anchor, ...ids], { clean_up_tokenization_spaces: false });
    const anchorLength = text([]).length;
    let held: number[] = [];
    const release = () => {
      const released = held.length > 0 ? text(held).slice(anchorLength) : '';
      held = [];
      return released;
    };
    return {
      push: (id) => {
        if (special.has(id)) return '';
        held.push(id);
        const incomplete = held.length < 4 && text(held).endsWith('\uFFFD');
        return incomplete ? '' : release();
      },
      flush: release,
    };
  }
}

/** The same text in memory of its own: a part of a long string would keep all of that alive. */
function copyOf(line: string): string {
  return ` ${line}`.slice(1);
}

/** Before each run of line breaks. */
const LINE_START = /(?<![\r\n])(?=\r?\n)/;

/**
 * Whether text may be cut before each run of line breaks without changing its tokens. Asked of
 * the tokenizer itself: whole and cut texts must give the same pre-tokens in every neighbourhood.
 */
function linesAreIndependent(library: Library): boolean {
  const { normalizer, pre_tokenizer: preTokenizer } = library;
  const addedTokens = library.get_added_tokens_decoder().size; // These could span lines.
  if (normalizer !== null || preTokenizer === null || addedTokens > 0) return false;
  const before = ['a', 'é', '1', '.', '_', "'", '"', '  ', '\t', '\u00a0', 'a ', ' .', ')  ', '\r'];
  const after = [
    '',
    'a',
    '1',
    '.',
    ' ',
    '  ',
    '\t',
    ' a',
    '  .',
    "'s",
    '\r',
    '\u00a0',
    '\n',
    '\n  b',
  ];
  const cut = (text: string) => text.split(LINE_START).flatMap((line) => preTokens(line));
  const preTokens = (text: string) => preTokenizer.pre_tokenize(text);
  return before.every((left) =>
    ['\n', '\r\n', '\n\n'].every((newline) =>
      after.every((right) => {
        const text = left + newline + right;
        return JSON.stringify(preTokens(text)) === JSON.stringify(cut(text));
      }),
    ),
  );
}

interface AddedToken {
  content: string;
  id: number;
  special: boolean;
  /** As it stands in the file. */
  source: unknown;
}

function parseAddedTokens(fields: Fields, file: string): AddedToken[] {
  const found = fields.raw('added_tokens') ?? [];
  if (!Array.isArray(found)) throw fields.fault('added_tokens', say`a list`);
  return found.map((source: unknown, index) => {
    const token = new Fields(source, `${file}: added_tokens[${index}]`);
    return {
      content: token.string('content'),
      id: token.integer('id', 0, 1_000_000),
      special: token.boolean('special', false),
      source,
    };
  });
}

/** GPT-2's alphabet: printable bytes stand for themselves, the others for U+0100 and up. */
function byteAlphabet(): Map<string, number> {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const alphabet = new Map<string, number>();
  let others = 0;
  for (let byte = 0; byte < 256; byte++) {
    alphabet.set(String.fromCharCode(printable(byte) ? byte : 0x100 + others++), byte);
  }
  return alphabet;
}
