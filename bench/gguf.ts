/**
 * Writes a standard Llama as GGUF, the file format of llama.cpp, so that the same shape runs there:
 * F16, Q8_0 or Q4_0 (its embedding Q8_0, as int4 has it here). The tokenizer is a stand-in.
 */
import { open } from 'node:fs/promises';
import { floatsToHalves } from '../src/engine/halves';
import { toFloats } from '../src/engine/precision';
import { GROUP, quantizeInt4, quantizeInt8 } from '../src/engine/quantize';
import type { TensorInfo, TensorSource } from '../src/model/source';

export type GgufType = 'F16' | 'Q8_0' | 'Q4_0';

const TYPE_IDS = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 8 };
const BLOCK_BYTES = { F32: 128, F16: 64, Q4_0: 18, Q8_0: 34 };
/** How the values of metadata are marked. */
const KIND = { u32: 4, i32: 5, f32: 6, string: 8, array: 9 };
const ALIGNMENT = 32;
const NAMES: Record<string, string> = {
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
};

/** Writes the source's weights, converted. */
export async function writeGguf(path: string, source: TensorSource, type: GgufType): Promise<void> {
  let offset = 0;
  const tensors = source.tensors.map((info) => {
    const stored = storedType(info, type);
    const count = info.shape.reduce((product, length) => product * length);
    const size = (count / GROUP) * BLOCK_BYTES[stored];
    const at = offset;
    offset += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
    return { info, stored, at, size };
  });
  const metadata = metadataOf(source);
  const header = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    u64(metadata.length),
    ...metadata,
    ...tensors.map(({ info, stored, at }) =>
      Buffer.concat([
        string(nameOf(info.name)),
        u32(info.shape.length),
        ...[...info.shape].reverse().map(u64),
        u32(TYPE_IDS[stored]),
        u64(at),
      ]),
    ),
  ]);
  const file = await open(path, 'w');
  try {
    await file.write(padded(header));
    for (const { info, stored } of tensors) {
      const values = await source.read(info.name);
      await file.write(padded(encoded(toFloats({ values, scales: null }, info.dtype), stored)));
    }
  } finally {
    await file.close();
  }
}

function storedType({ name, shape }: TensorInfo, type: GgufType): keyof typeof TYPE_IDS {
  if (shape.length === 1) return 'F32';
  return type === 'Q4_0' && /embed_tokens|lm_head/.test(name) ? 'Q8_0' : type;
}

function encoded(floats: Float32Array, type: keyof typeof TYPE_IDS): Uint8Array {
  if (type === 'F32') return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  if (type === 'F16') return new Uint8Array(floatsToHalves(floats).buffer);
  const { values, scales } = type === 'Q8_0' ? quantizeInt8(floats) : quantizeInt4(floats);
  const bytes = BLOCK_BYTES[type];
  const width = bytes - 2;
  const blocks = new Uint8Array(scales.length * bytes);
  for (let block = 0; block < scales.length; block++) {
    const group = values.subarray(block * width, (block + 1) * width);
    blocks.set([scales[block] & 255, scales[block] >> 8], block * bytes);
    blocks.set(type === 'Q8_0' ? group : halves(group), block * bytes + 2);
  }
  return blocks;
}

/** llama.cpp's order of half bytes: column j low and 16 + j high, from models/README.md's. */
function halves(group: Uint8Array): Uint8Array {
  const column = (i: number) => (group[((i >> 3) << 2) + (i & 3)] >> (i & 4)) & 15;
  return Uint8Array.from({ length: 16 }, (_, j) => column(j) | (column(16 + j) << 4));
}

function nameOf(name: string): string {
  if (name === 'model.embed_tokens.weight') return 'token_embd.weight';
  if (name === 'model.norm.weight') return 'output_norm.weight';
  if (name === 'lm_head.weight') return 'output.weight';
  const [, layer, part] = /^model\.layers\.(\d+)\.(.+)\.weight$/.exec(name)!;
  return `blk.${layer}.${NAMES[part]}.weight`;
}

function metadataOf({ config }: TensorSource): Buffer[] {
  const numbers: Record<string, number> = {
    'llama.context_length': config.maxPositions,
    'llama.embedding_length': config.hiddenSize,
    'llama.block_count': config.layers.length,
    'llama.feed_forward_length': config.intermediateSize,
    'llama.attention.head_count': config.heads,
    'llama.attention.head_count_kv': config.kvHeads,
    'llama.rope.dimension_count': config.headDim,
    'llama.vocab_size': config.vocabSize,
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.ggml.unknown_token_id': 0,
  };
  const tokens = Array.from({ length: config.vocabSize }, (_, id) => tokenText(id));
  const types = tokens.map((_, id) => i32(id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1));
  const entry = (key: string, kind: number, value: Buffer) =>
    Buffer.concat([string(key), u32(kind), value]);
  const list = (kind: number, values: Buffer[]) =>
    Buffer.concat([u32(kind), u64(values.length), ...values]);
  return [
    entry('general.architecture', KIND.string, string('llama')),
    ...Object.entries(numbers).map(([key, value]) => entry(key, KIND.u32, u32(value))),
    entry('llama.attention.layer_norm_rms_epsilon', KIND.f32, f32(config.rmsNormEps)),
    entry('llama.rope.freq_base', KIND.f32, f32(config.ropeTheta)),
    entry('tokenizer.ggml.model', KIND.string, string('llama')),
    entry('tokenizer.ggml.tokens', KIND.array, list(KIND.string, tokens.map(string))),
    entry(
      'tokenizer.ggml.scores',
      KIND.array,
      list(
        KIND.f32,
        tokens.map((_, id) => f32(-id)),
      ),
    ),
    entry('tokenizer.ggml.token_type', KIND.array, list(KIND.i32, types)),
  ];
}

function tokenText(id: number): string {
  if (id < 3) return ['<unk>', '<s>', '</s>'][id];
  if (id < 259) return `<0x${(id - 3).toString(16).toUpperCase().padStart(2, '0')}>`;
  return `t${id}`;
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);
}

function buffer(size: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(size);
  write(bytes);
  return bytes;
}

const u32 = (x: number) => buffer(4, (bytes) => bytes.writeUInt32LE(x));
const i32 = (x: number) => buffer(4, (bytes) => bytes.writeInt32LE(x));
const f32 = (x: number) => buffer(4, (bytes) => bytes.writeFloatLE(x));
const u64 = (x: number) => buffer(8, (bytes) => bytes.writeBigUInt64LE(BigInt(x)));
const string = (text: string) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);
