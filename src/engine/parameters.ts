/** The parameters of a model by their names in a checkpoint (lckv.md section 1). */
import type { LayerGroup, ModelConfig } from '../model/config';
import type { Range } from './kernel';
import type { Matrix, WeightLoader } from './weights';

/** Matrices that are read together are one, end to end. */
export interface LayerWeights {
  /** q_proj, and k_proj and v_proj where the layer computes keys and values. */
  qkv: Matrix;
  o: Matrix;
  gateUp: Matrix;
  down: Matrix;
  inputNorm: Range;
  mlpNorm: Range;
}

/** A matrix and the weights of the norm in front of it. */
export interface NormedMatrix {
  matrix: Matrix;
  norm: Range;
}

export async function layerWeights(
  weights: WeightLoader,
  layer: number,
  computesKv: boolean,
): Promise<LayerWeights> {
  const name = `model.layers.${layer}.`;
  const attention = `${name}self_attn.`;
  const projections = computesKv ? ['q_proj', 'k_proj', 'v_proj'] : ['q_proj'];
  return {
    qkv: await weights.matrix(projections.map((p) => `${attention}${p}.weight`)),
    o: await weights.matrix([`${attention}o_proj.weight`]),
    gateUp: await weights.matrix(['gate', 'up'].map((p) => `${name}mlp.${p}_proj.weight`)),
    down: await weights.matrix([`${name}mlp.down_proj.weight`]),
    inputNorm: await weights.vector(`${name}input_layernorm.weight`),
    mlpNorm: await weights.vector(`${name}post_attention_layernorm.weight`),
  };
}

/** What stands in for the layers of a cyclic group below its target, in front of the first pass. */
export async function shortcutWeights(
  weights: WeightLoader,
  { first, targets: [target] }: LayerGroup,
): Promise<NormedMatrix> {
  return {
    matrix: await weights.matrix([`model.layers.${target}.shortcut.weight`]),
    norm: await weights.vector(`model.layers.${first}.input_layernorm.weight`),
  };
}

export function embeddingOf(weights: WeightLoader): Promise<Matrix> {
  return weights.matrix(['model.embed_tokens.weight']);
}

/** The last norm, and lm_head or what stands for it. */
export async function headWeights(
  weights: WeightLoader,
  { tieEmbeddings }: ModelConfig,
): Promise<NormedMatrix> {
  const norm = await weights.vector('model.norm.weight');
  const own = tieEmbeddings ? embeddingOf(weights) : weights.matrix(['lm_head.weight']);
  return { matrix: await own, norm };
}
