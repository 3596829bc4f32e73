/**
 * `lckv info`: what a model is, without a GPU.
 */
import { parseArgs } from 'node:util';
import { openCheckpoint } from '../model/checkpoint';
import type { LayerPlan, ModelConfig } from '../model/config';
import { modelFacts } from '../worker/facts';
import { modelOptions } from './usage';

/** Runs the command. */
export async function info(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { ...modelOptions, json: { type: 'boolean', default: false } },
  });
  const checkpoint = await openCheckpoint(values.model);
  const facts = { ...modelFacts(checkpoint), weightBytes: checkpoint.totalBytes };
  const { config } = checkpoint;
  await checkpoint.close();
  console.log(values.json ? JSON.stringify({ ...facts, config }) : page(facts, config));
}

type Facts = ReturnType<typeof modelFacts> & { weightBytes: number };

function page(facts: Facts, config: ModelConfig): string {
  const { kvBytesPerToken: kv, standardKvBytesPerToken: standard } = facts;
  const rows = {
    model: `${facts.name} (${config.modelType})`,
    parameters: facts.parameters.toLocaleString('en'),
    weights: `${mebi(facts.weightBytes)}${config.quantization ? ', int8' : ''}`,
    vocabulary: `${config.vocabSize}${config.tieEmbeddings ? ', embeddings tied' : ''}`,
    width: `${config.hiddenSize}, MLP ${config.intermediateSize}`,
    heads: `${config.heads} of ${config.headDim}, ${config.kvHeads} for keys and values`,
    positions: `${config.maxPositions}`,
    layers: `${facts.layers}, of these ${facts.kvLayers} with keys and values`,
    plan: config.layers.map(planned).join(' '),
    groups: config.groups.map(({ first, end, cyclic }) => grouped(first, end, cyclic)).join(' '),
    'trained passes': `${config.trainedPasses}`,
    'KV per token':
      `${kv} bytes, ${((100 * kv) / standard).toFixed(1)} % of a standard transformer's ` +
      `${standard} bytes`,
  };
  const legend =
    "plan: the layer whose keys and values each layer reads; ' strict (earlier positions only), " +
    's sliding window. groups: * iterated.';
  const lines = Object.entries(rows).map(([name, value]) => `${name.padEnd(15)} ${value}`);
  return [...lines, '', legend].join('\n');
}

function planned({ reads, strict, window }: LayerPlan): string {
  return `${reads}${window === null ? '' : 's'}${strict ? "'" : ''}`;
}

function grouped(first: number, end: number, cyclic: boolean): string {
  return `${first === end - 1 ? first : `${first}-${end - 1}`}${cyclic ? '*' : ''}`;
}

function mebi(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}
