/**
 * config.json to a checked ModelConfig. Formats: `lckv-llama`, plain `llama`, and the first
 * paper's `opt-llama` / `cla-llama` (lckv.md section 1). Pure; no file access.
 */

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

/** Layers [first, end). Cyclic groups contain a layer that reads from above and are iterated. */
export interface LayerGroup {
  first: number;
  end: number;
  cyclic: boolean;
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
  /** forward_passes + backward_passes: what the model was trained with. */
  trainedPasses: number;
  bosToken: number | null;
  eosTokens: number[];
  /** int8 group-wise weights (models/README.md), or null for plain floats. */
  quantization: { groupSize: number } | null;
}
