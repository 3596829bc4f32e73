/** Model shapes that benchmarks run with random weights, as fields of config.json. */

/** A shape without its layout. */
export type Shape = Record<string, unknown> & { num_hidden_layers: number; vocab_size: number };

export const SHAPES = {
  /** The bundled model. */
  bundled: {
    model_type: 'lckv-llama',
    vocab_size: 16384,
    hidden_size: 512,
    intermediate_size: 1536,
    num_hidden_layers: 12,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    tie_word_embeddings: true,
    max_position_embeddings: 16384,
  },
  /** 12 layers of width 640, as in earlier measurements against PyTorch. */
  '640': {
    model_type: 'lckv-llama',
    vocab_size: 16384,
    hidden_size: 640,
    intermediate_size: 1728,
    num_hidden_layers: 12,
    num_attention_heads: 10,
    num_key_value_heads: 5,
    tie_word_embeddings: true,
    max_position_embeddings: 16384,
  },
  /** TinyLlama, the published LCKV checkpoints. */
  '1.1b': {
    model_type: 'lckv-llama',
    vocab_size: 32000,
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: 22,
    num_attention_heads: 32,
    num_key_value_heads: 4,
    tie_word_embeddings: false,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 16384,
  },
  '7b': {
    model_type: 'lckv-llama',
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    tie_word_embeddings: false,
    max_position_embeddings: 16384,
  },
} satisfies Record<string, Shape>;

export type ShapeName = keyof typeof SHAPES;

/** The shape of a name given by the user. */
export function shapeOf(name: string): Shape {
  if (name in SHAPES) return SHAPES[name as ShapeName];
  throw new Error(`--shape: found '${name}', expected ${Object.keys(SHAPES).join(', ')}.`);
}

/** layer_types of a layout for a number of layers (lckv.md section 1.3). */
export function layout(name: string, layers: number): string {
  const reads = (of: (layer: number) => number) => Array.from({ length: layers }, (_, i) => of(i));
  if (name === 'standard') return reads((i) => i).join('_');
  const warmup = /^w(\d+)$/.exec(name);
  if (warmup) {
    const half = Number(warmup[1]) / 2;
    const target = layers - half - 1;
    return reads((i) => (i < half || i > target ? i : target)).join('_');
  }
  if (name === 'middle') {
    const target = Math.floor((layers - 1) / 2);
    return reads((i) => (i === 0 || i === layers - 1 ? i : target)).join('_');
  }
  throw new Error(`--layouts: found '${name}', expected standard, middle or wN.`);
}

/** `shapes`: every shape in every layout, as JSON lines for tools in other languages. */
export function shapes(): void {
  for (const [shape, fields] of Object.entries(SHAPES)) {
    for (const name of ['standard', 'middle', 'w2', 'w10']) {
      const layer_types = layout(name, fields.num_hidden_layers);
      console.log(JSON.stringify({ shape, layout: name, ...fields, layer_types }));
    }
  }
}
