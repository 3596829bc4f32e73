/**
 * config.json to a checked ModelConfig. Formats: `lckv-llama`, plain `llama`, and the first
 * paper's `opt-llama` / `cla-llama` / `group-opt-llama` (lckv.md section 1). Pure; no file access.
 */
import { Fault, say, sentenceOf } from '../sentence';
import { Fields, shown } from './fields';
import {
  layerGroups,
  parseClaLayerTypes,
  parseLayerTypes,
  parseOptLayerTypes,
  type LayerGroup,
  type LayerReads,
} from './layers';

export type { LayerGroup };

/** Whose keys and values a layer reads, and which positions it sees (lckv.md section 2). */
export interface LayerPlan {
  /** The layer whose keys and values this one reads: below, itself, or above. */
  reads: number;
  /** Strict layers see positions before the current one only; others see the current one too. */
  strict: boolean;
  /** Sliding window in tokens (keys p-window < j), or null for all. */
  window: number | null;
  /** Some layer reads this one's keys and values, so it has k_proj, v_proj and a cache entry. */
  computesKv: boolean;
}

export interface ModelConfig {
  modelType: string;
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  rmsNormEps: number;
  ropeTheta: number;
  /** max_position_embeddings. */
  maxPositions: number;
  tieEmbeddings: boolean;
  layers: LayerPlan[];
  groups: LayerGroup[];
  /** forward_passes + backward_passes: what the model was trained with, or what is enough from its shortcut on. */
  trainedPasses: number;
  bosToken: number | null;
  eosTokens: number[];
  /** int8 group-wise weights (models/README.md), or null for plain floats. */
  quantization: { groupSize: number } | null;
  /**
   * With a matrix from the input of each cyclic group to about what the layer gets that it reads, so that
   * passes do not begin with keys and values of zero (training/README.md): `"lckv_shortcut": true`.
   */
  shortcut: boolean;
  /** Trained with snippets of other files in the prompt: `"lckv_prompt": {"snippets": true}`. */
  snippets: boolean;
}

/** Larger numbers in a config are a mistake or an attack; nothing is sized by them. */
const MAX = {
  vocab: 1_000_000,
  hidden: 65_536,
  intermediate: 262_144,
  layers: 1024,
  heads: 1024,
  headDim: 1024,
  positions: 1 << 24,
  passes: 1024,
};

/** The one quantisation this extension reads: int8 with one scale per 32 columns of a row. */
const GROUP_SIZE = 32;

/** Checks a parsed config.json; `file` is named in errors. */
export function parseConfig(json: unknown, file: string): ModelConfig {
  const fields = new Fields(json, file);
  const modelType = fields.string('model_type');
  const parseLayout = layouts.get(modelType);
  if (!parseLayout) {
    throw fields.fault('model_type', say`one of ${[...layouts.keys()].join(', ')}`);
  }
  rejectUnsupported(fields);

  const vocabSize = fields.integer('vocab_size', 1, MAX.vocab, 32_000);
  const sizes = parseSizes(fields);
  const layerCount = fields.integer('num_hidden_layers', 1, MAX.layers);
  const layout = parseLayout(fields, layerCount);
  const sourceLayers = new Set(layout.layers.map(({ reads }) => reads));
  const window = fields.integer('sliding_window', 1, MAX.positions, 4096);
  const groups = layerGroups(layout.layers.map(({ reads }) => reads));

  return {
    modelType,
    vocabSize,
    ...sizes,
    rmsNormEps: fields.positive('rms_norm_eps', 1e-6),
    ropeTheta: parseRopeTheta(fields, file),
    maxPositions: fields.integer('max_position_embeddings', 1, MAX.positions, 2048),
    tieEmbeddings: fields.boolean('tie_word_embeddings', false),
    layers: layout.layers.map(({ reads, windowed }, layer) => ({
      reads,
      strict: layout.allStrict || reads > layer,
      window: windowed ? window : null,
      computesKv: sourceLayers.has(layer),
    })),
    groups,
    trainedPasses: layout.passes,
    bosToken: fields.tokens('bos_token_id', vocabSize, 1)[0] ?? null,
    eosTokens: fields.tokens('eos_token_id', vocabSize, 2),
    quantization: parseQuantization(fields, file, sizes),
    shortcut: parseShortcut(fields, groups),
    snippets: parseSnippets(fields, file),
  };
}

function parseShortcut(fields: Fields, groups: readonly LayerGroup[]): boolean {
  const found = fields.boolean('lckv_shortcut', false);
  if (found && groups.some(({ targets }) => targets.length > 1)) {
    const why = say`Layers that read from above must read the same one.`;
    throw fields.fault('lckv_shortcut', 'false', why);
  }
  return found;
}

function parseSnippets(fields: Fields, file: string): boolean {
  const prompt = fields.raw('lckv_prompt');
  return (
    prompt !== undefined && new Fields(prompt, `${file}: lckv_prompt`).boolean('snippets', false)
  );
}

interface Layout {
  layers: LayerReads[];
  /** force_nodiag: no layer sees the current position. */
  allStrict: boolean;
  passes: number;
}

const layouts = new Map<string, (fields: Fields, layerCount: number) => Layout>([
  ['lckv-llama', lckvLayout],
  ['llama', llamaLayout],
  ['opt-llama', optLayout],
  ['cla-llama', claLayout],
  ['group-opt-llama', groupOptLayout],
]);

function lckvLayout(fields: Fields, layerCount: number): Layout {
  return {
    layers: layerTypes(fields, Array.from({ length: layerCount }, (_, i) => i).join('_'), (text) =>
      parseLayerTypes(text, layerCount),
    ),
    allStrict: fields.boolean('force_nodiag', false),
    passes:
      fields.integer('forward_passes', 0, MAX.passes, 7) +
      fields.integer('backward_passes', 1, MAX.passes, 2),
  };
}

function llamaLayout(_fields: Fields, layerCount: number): Layout {
  const layers = Array.from({ length: layerCount }, (_, reads) => ({ reads, windowed: false }));
  return { layers, allStrict: false, passes: 1 };
}

/** The first paper's code hides the newest key from every layer, hence `allStrict`. */
function optLayout(fields: Fields, layerCount: number): Layout {
  const passes = fields.integer('num_encoders', 0, MAX.passes, 8) + 1;
  if (fields.raw('num_warmup_layers') !== undefined) {
    const warmup = fields.integer('num_warmup_layers', 0, layerCount - 1);
    const layers = Array.from({ length: layerCount }, (_, layer) => ({
      reads: layer < warmup ? layer : layerCount - 1,
      windowed: false,
    }));
    return { layers, allStrict: true, passes };
  }
  const named = fields.integer('target_layer', -layerCount, layerCount - 1, -1);
  const target = (named + layerCount) % layerCount;
  const layers = layerTypes(fields, Array(layerCount).fill('0').join('_'), (text) =>
    parseOptLayerTypes(text, layerCount, target),
  );
  return { layers, allStrict: true, passes };
}

function claLayout(fields: Fields, layerCount: number): Layout {
  const layers = layerTypes(fields, Array(layerCount).fill('0').join('_'), (text) =>
    parseClaLayerTypes(text, layerCount),
  );
  return { layers, allStrict: false, passes: 1 };
}

function groupOptLayout(fields: Fields, layerCount: number): Layout {
  const passes = fields.integer('num_encoders', 0, MAX.passes, 8) + 1;
  const layers = layerTypes(fields, undefined, (text) => parseLayerTypes(text, layerCount));
  return { layers, allStrict: true, passes };
}

function layerTypes(
  fields: Fields,
  missing: string | undefined,
  parse: (text: string) => LayerReads[],
): LayerReads[] {
  const text = fields.string('layer_types', missing);
  try {
    return parse(text);
  } catch (error) {
    throw fields.fault('layer_types', say`a layer layout`, say`In it, ${sentenceOf(error)}.`);
  }
}

function rejectUnsupported(fields: Fields): void {
  if (fields.string('hidden_act', 'silu') !== 'silu') {
    throw fields.fault('hidden_act', `"silu"`, say`Other activations are not supported.`);
  }
  if (fields.raw('rope_scaling') !== undefined) {
    throw fields.fault('rope_scaling', 'null', say`Scaled rotary embeddings are not supported.`);
  }
  for (const name of ['attention_bias', 'mlp_bias']) {
    if (fields.boolean(name, false)) {
      throw fields.fault(name, 'false', say`Bias vectors are not supported.`);
    }
  }
}

type Sizes = Pick<ModelConfig, 'hiddenSize' | 'intermediateSize' | 'heads' | 'kvHeads' | 'headDim'>;

function parseSizes(fields: Fields): Sizes {
  const hiddenSize = fields.integer('hidden_size', 1, MAX.hidden);
  const intermediateSize = fields.integer('intermediate_size', 1, MAX.intermediate);
  const heads = fields.integer('num_attention_heads', 1, MAX.heads);
  const kvHeads = fields.integer('num_key_value_heads', 1, heads, heads);
  if (heads % kvHeads !== 0) {
    throw fields.fault('num_key_value_heads', say`a divisor of num_attention_heads (${heads})`);
  }
  const headDim = fields.integer('head_dim', 1, MAX.headDim, hiddenSize / heads);
  if (headDim % 8 !== 0) {
    throw fields.fault('head_dim', say`a multiple of 8`, say`It comes to ${headDim}.`);
  }
  if (heads * headDim > MAX.hidden) {
    throw fields.fault('head_dim', say`at most ${MAX.hidden} for all ${heads} heads together`);
  }
  return { hiddenSize, intermediateSize, heads, kvHeads, headDim };
}

/** Newer transformers write `rope_parameters`, older ones `rope_theta`. */
function parseRopeTheta(fields: Fields, file: string): number {
  const parameters = fields.raw('rope_parameters');
  if (parameters === undefined) return fields.positive('rope_theta', 10_000);
  const rope = new Fields(parameters, `${file}: rope_parameters`);
  if (rope.string('rope_type', 'default') !== 'default') {
    throw rope.fault('rope_type', '"default"', say`Scaled rotary embeddings are not supported.`);
  }
  return rope.positive('rope_theta', 10_000);
}

function parseQuantization(
  fields: Fields,
  file: string,
  sizes: Sizes,
): { groupSize: number } | null {
  const found = fields.raw('quantization');
  if (found === undefined) {
    if (fields.raw('quantization_config') === undefined) return null;
    throw fields.fault('quantization_config', say`nothing`, say`Use the plain float checkpoint.`);
  }
  const quantization = new Fields(found, `${file}: quantization`);
  if (quantization.string('format') !== 'int8-group') {
    throw quantization.fault('format', '"int8-group"');
  }
  const groupSize = quantization.integer('group_size', GROUP_SIZE, GROUP_SIZE);
  const columns = {
    hidden_size: sizes.hiddenSize,
    intermediate_size: sizes.intermediateSize,
    'num_attention_heads * head_dim': sizes.heads * sizes.headDim,
  };
  for (const [name, count] of Object.entries(columns)) {
    if (count % groupSize !== 0) {
      throw new Fault(
        say`${file}: ${name}: found ${shown(count)}, expected a multiple of the quantization's group_size ${groupSize}.`,
      );
    }
  }
  return { groupSize };
}
