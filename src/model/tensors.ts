/**
 * The tensors that a model of a given config consists of (lckv.md section 4). Pure.
 */
import type { ModelConfig } from './config';

/** A tensor a checkpoint must hold. Shapes of length 2 are matrices [rows, columns]. */
export interface ModelTensor {
  name: string;
  shape: number[];
}

/** Every tensor of the model, in the order in which a token meets them. */
export function modelTensors(config: ModelConfig): ModelTensor[] {
  const { vocabSize, hiddenSize, intermediateSize } = config;
  const queryRows = config.heads * config.headDim;
  const kvRows = config.kvHeads * config.headDim;

  const shortcuts = config.shortcut ? config.groups.flatMap(({ targets }) => targets) : [];

  const layers = config.layers.flatMap(({ computesKv }, layer) => {
    const tensor = (name: string, ...shape: number[]): ModelTensor => ({
      name: `model.layers.${layer}.${name}.weight`,
      shape,
    });
    return [
      ...(shortcuts.includes(layer) ? [tensor('shortcut', hiddenSize, hiddenSize)] : []),
      tensor('input_layernorm', hiddenSize),
      tensor('self_attn.q_proj', queryRows, hiddenSize),
      ...(computesKv
        ? [
            tensor('self_attn.k_proj', kvRows, hiddenSize),
            tensor('self_attn.v_proj', kvRows, hiddenSize),
          ]
        : []),
      tensor('self_attn.o_proj', hiddenSize, queryRows),
      tensor('post_attention_layernorm', hiddenSize),
      tensor('mlp.gate_proj', intermediateSize, hiddenSize),
      tensor('mlp.up_proj', intermediateSize, hiddenSize),
      tensor('mlp.down_proj', hiddenSize, intermediateSize),
    ];
  });
  return [
    { name: 'model.embed_tokens.weight', shape: [vocabSize, hiddenSize] },
    ...layers,
    { name: 'model.norm.weight', shape: [hiddenSize] },
    ...(config.tieEmbeddings ? [] : [{ name: 'lm_head.weight', shape: [vocabSize, hiddenSize] }]),
  ];
}
