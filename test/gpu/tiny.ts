/** Fields of config.json for a model that the double-precision reference runs in no time. */
export const TINY = {
  model_type: 'lckv-llama',
  vocab_size: 61,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  layer_types: '0_2_2_3',
  max_position_embeddings: 512,
};

/** For int8 checkpoints. */
export const INT8 = { quantization: { format: 'int8-group', group_size: 32 } };
