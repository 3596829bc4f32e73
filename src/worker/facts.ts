/**
 * What a model is, in numbers for people. Needs no device.
 */
import { KV_NUMBER_BYTES } from '../engine/cache';
import type { Checkpoint } from '../model/checkpoint';
import type { ModelInfo } from '../protocol';

/** The facts about a model that do not depend on where it runs. */
export function modelFacts(
  checkpoint: Checkpoint,
): Omit<ModelInfo, 'contextTokens' | 'weightBytes' | 'reduced' | 'fillInTheMiddle' | 'snippets'> {
  const { layers, kvHeads, headDim } = checkpoint.config;
  const kvLayers = layers.filter(({ computesKv }) => computesKv).length;
  const layerBytes = 2 * kvHeads * headDim * KV_NUMBER_BYTES;
  return {
    name: checkpoint.name,
    parameters: checkpoint.parameters,
    layers: layers.length,
    kvLayers,
    kvSources: layers.map(({ reads }) => reads),
    kvBytesPerToken: kvLayers * layerBytes,
    standardKvBytesPerToken: layers.length * layerBytes,
  };
}
