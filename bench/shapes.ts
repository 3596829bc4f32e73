/** Models that benchmarks run with random weights: their shapes, as fields of config.json, and layouts. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MatmulShape } from '../src/engine/matmul';
import type { MatrixShape } from '../src/engine/matrices';
import type { MatvecShape } from '../src/engine/products';
import { openCheckpoint } from '../src/model/checkpoint';
import type { TensorSource } from '../src/model/source';
import type { PrecisionChoice } from '../src/protocol';
import { noiseSource } from './noise';
import { numbers } from './report';

/** A shape without its layout. */
export type Shape = Record<string, unknown> & { num_hidden_layers: number; vocab_size: number };

export const SHAPES = {
  /** The bundled model, whose layout is m5; it had 12 layers in measurements before 2026-11-27. */
  bundled: {
    model_type: 'lckv-llama',
    vocab_size: 16384,
    hidden_size: 512,
    intermediate_size: 1536,
    num_hidden_layers: 16,
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
  const middle = name === 'middle' ? Math.floor((layers - 1) / 2) : /^m(\d+)$/.exec(name)?.[1];
  if (middle !== undefined) {
    const target = Number(middle);
    return reads((i) => (i === 0 || i === layers - 1 ? i : target)).join('_');
  }
  throw new Error(`--layouts: found '${name}', expected standard, middle, mN or wN.`);
}

/** config.json of a shape in a layout, both by the user's names; mN and wN with a shortcut, as the bundled model. */
export function configOf(shape: string, name: string): Shape & { layer_types: string } {
  const fields = shapeOf(shape);
  const layer_types = layout(name, fields.num_hidden_layers);
  return { ...fields, layer_types, lckv_shortcut: /^[mw]\d+$/.test(name) };
}

/** Options of benchmarks that make up their models: a shape, lists of layouts and of precisions. */
export const modelOptions = {
  shape: { type: 'string', default: 'bundled' },
  layouts: { type: 'string', default: 'middle' },
  precisions: { type: 'string', default: 'int8' },
} as const;

/** A model that is measured: made up by them, with random weights, or of a folder. */
export interface Measured {
  /** How rows name it. */
  names: { shape: string; layout: string; precision: string };
  source: TensorSource;
  precision: PrecisionChoice;
}

/** Every layout at every precision; a layout's models share their weights. */
export function* madeUp(values: Record<keyof typeof modelOptions, string>): Generator<Measured> {
  const { shape } = values;
  for (const name of values.layouts.split(',')) {
    const source = noiseSource(configOf(shape, name));
    for (const precision of values.precisions.split(',')) {
      const names = { shape, layout: name, precision };
      yield { names, source, precision: precision as PrecisionChoice };
    }
  }
}

/** The model of a folder at every precision, then a standard transformer of its shape, made up. */
export async function beside(folder: string, precisions: string): Promise<Measured[]> {
  const source = await openCheckpoint(folder);
  const json = await readFile(join(folder, 'config.json'), 'utf8');
  const fields = JSON.parse(json) as Shape;
  const layer_types = layout('standard', fields.num_hidden_layers);
  const twin = noiseSource({
    ...fields,
    layer_types,
    lckv_shortcut: false,
    quantization: undefined,
  });
  const of = (name: string, source: TensorSource) =>
    precisions.split(',').map((precision): Measured => ({
      names: { shape: folder, layout: name, precision },
      source,
      precision: precision as PrecisionChoice,
    }));
  return [...of('its own', source), ...of('standard', twin)];
}

/** '64,2,1,1': lanes, units, pairs and depth. */
export function matvecShape(option: string): MatvecShape {
  const [lanes, units, pairs, depth] = numbers(option);
  return { lanes, units, pairs, depth };
}

/** '64,64,8,4,4,2,1': rows, tokens, rows and tokens of an invocation, depth, parts, 1 for prefetch. */
export function tileShape(option: string): MatmulShape {
  const [rows, tokens, ownRows, ownTokens, depth, parts, prefetch] = numbers(option);
  return { rows, tokens, ownRows, ownTokens, depth, parts, prefetch: prefetch === 1 };
}

/** '2,2,4,2,1,4': subgroups along rows and tokens, own matrices along both, parts, depth. */
export function matrixShape(option: string): MatrixShape {
  const [rowSubgroups, tokenSubgroups, ownRows, ownTokens, parts, depth] = numbers(option);
  return { rowSubgroups, tokenSubgroups, ownRows, ownTokens, parts, depth };
}

/** A tile's shape as text. */
export function tileName(shape: MatmulShape): string {
  const { rows, tokens, ownRows, ownTokens, depth, parts, prefetch } = shape;
  return [rows, tokens, ownRows, ownTokens, depth, parts, Number(prefetch)].join();
}

/** `shapes`: every shape in every layout, as JSON lines for tools in other languages. */
export function shapes(): void {
  for (const shape of Object.keys(SHAPES)) {
    for (const name of ['standard', 'middle', 'w2', 'w10']) {
      console.log(JSON.stringify({ shape, layout: name, ...configOf(shape, name) }));
    }
  }
}
