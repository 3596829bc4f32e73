/**
 * How a token's one dispatch (resident.wgsl) is shared out among its workgroups, and where it finds and
 * leaves everything.
 */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import { USUAL_SUBGROUP, type Constants, type Range } from './kernel';
import type { LayerWeights } from './parameters';
import { rowBytes, type WeightType } from './precision';
import type { Matrix } from './weights';

/** How the work is shared out; any numbers are right, if the device can run so many workgroups at once. */
export interface ResidentShape {
  /** Workgroups. */
  groups: number;
  /** Invocations of each. */
  lanes: number;
  /** Blocks of 8 columns that a lane has under way. */
  depth: number;
}

/** More parts of a head's positions only make more to join. */
const MOST_SPLITS = 16;
/** Rounds of two in a layer must not come full circle in one token (resident_exchange.wgsl). */
const MOST_LAYERS = 127;
/** The products that resident_product.wgsl is there for. */
export const KINDS = ['qkv', 'output', 'gated', 'down', 'head'] as const;
type Kind = (typeof KINDS)[number];

export function isSupported({
  hiddenSize,
  intermediateSize,
  headDim,
  layers,
}: ModelConfig): boolean {
  const isWhole = [hiddenSize, intermediateSize, headDim].every((width) => width % 8 === 0);
  const readsOwn = layers.every(({ computesKv, reads }, i) => !computesKv || reads === i);
  return isWhole && readsOwn && layers.length <= MOST_LAYERS;
}

/** Pairs of rows of a product's matrix, and blocks of 8 columns. */
function products(config: ModelConfig): Record<Kind, { pairs: number; blocks: number }> {
  const { hiddenSize: D, intermediateSize: F, heads: H, kvHeads: G, headDim: K } = config;
  return {
    qkv: { pairs: ((H + 2 * G) * K) / 2, blocks: D / 8 },
    output: { pairs: D / 2, blocks: (H * K) / 8 },
    gated: { pairs: F, blocks: D / 8 },
    down: { pairs: D / 2, blocks: F / 8 },
    head: { pairs: Math.ceil(config.vocabSize / 2), blocks: D / 8 },
  };
}

/** Parts of the columns with which the subgroups of a workgroup are done soonest. */
function partsOf(pairsEach: number, blocks: number, lanes: number): number {
  const subgroups = Math.max(1, lanes / USUAL_SUBGROUP);
  const most = Math.max(1, Math.floor(blocks / USUAL_SUBGROUP));
  const choices = Array.from({ length: most }, (_, i) => i + 1);
  const time = (parts: number) => Math.ceil((pairsEach * parts) / subgroups) / parts;
  return choices.reduce((best, parts) => (time(parts) < time(best) - 1e-9 ? parts : best));
}

export function constantsOf(config: ModelConfig, { groups, lanes, depth }: ResidentShape) {
  const { hiddenSize: D, intermediateSize: F, heads: H, kvHeads: G, headDim: K } = config;
  const splits = Math.max(1, Math.min(MOST_SPLITS, Math.floor(groups / H)));
  const kvLayers = config.layers.filter(({ computesKv }) => computesKv).length;
  const shapes = products(config);
  const each = (kind: Kind) => Math.ceil(shapes[kind].pairs / groups);
  const parts = (kind: Kind) =>
    kind === 'head' ? 1 : partsOf(each(kind), shapes[kind].blocks, lanes);
  const perKind: Constants = {};
  for (const kind of KINDS) {
    const { blocks } = shapes[kind];
    const turns = Math.ceil(blocks / parts(kind) / USUAL_SUBGROUP);
    perKind[`BLOCKS_${kind}`] = blocks;
    perKind[`PARTS_${kind}`] = parts(kind);
    perKind[`DEPTH_${kind}`] = Math.min(depth, turns);
  }
  const tasks = KINDS.filter((kind) => kind !== 'head').map((kind) => each(kind) * parts(kind));
  let words = 4;
  const region = (count: number) => {
    const begin = words;
    words += Math.ceil(count / 4) * 4;
    return begin;
  };
  return {
    LANES: lanes,
    GROUPS: groups,
    SPLITS: splits,
    LAYERS: config.layers.length,
    WIDTH: D,
    MLP_WIDTH: F,
    HEADS: H,
    KV_HEADS: G,
    QUERIES_PER_KV: H / G,
    HEAD_DIM: K,
    VOCAB: config.vocabSize,
    EPS: { f32: config.rmsNormEps },
    LONGEST: Math.max(D, F, H * K),
    WIDTH_TURNS: Math.ceil(D / 4 / lanes),
    MLP_TURNS: Math.ceil(F / 4 / lanes),
    MOST_TASKS: Math.max(...tasks),
    RESIDUAL_PAIRS: each('output'),
    RESIDUAL: region(D),
    QUERY: region(H * K),
    FRESH: region(kvLayers * 2 * G * K),
    PARTIAL: region(H * splits * K),
    TOTALS: region(H * splits * 4),
    ACTIVATED: region(F),
    CHOICES: region(groups * 4),
    WORDS: words,
    ...perKind,
  };
}

/** Workgroup memory of the kernel, about. */
export function workgroupBytes(
  { heads: H, headDim: K }: ModelConfig,
  { lanes }: ResidentShape,
  { LONGEST, MOST_TASKS, RESIDUAL_PAIRS, SPLITS }: ReturnType<typeof constantsOf>,
): number {
  const attention = 3 * K + lanes / 4 + 4 * lanes + 2 * H * SPLITS;
  return 4 * (LONGEST + 2 * MOST_TASKS + 2 * RESIDUAL_PAIRS + 4 * lanes + attention) + 64;
}

/** `Plan` of resident.wgsl: where everything lies. */
export function planOf(
  config: ModelConfig,
  cache: KvCache,
  dtype: WeightType,
  embedding: Matrix,
  head: { matrix: Matrix; norm: Range },
  layers: readonly LayerWeights[],
  mostReads: number,
): Uint32Array<ArrayBuffer> {
  const blockBytes = rowBytes(dtype, 8);
  const place = ({ pieces: [{ values, scales }] }: Matrix) => [
    values.offset / blockBytes,
    scales ? scales.offset / 2 : 0,
  ];
  const kvLayers = [...cache.keys.keys()];
  const words = [...place(embedding), ...place(head.matrix), head.norm.offset / 4, mostReads, 0, 0];
  for (const [i, layer] of layers.entries()) {
    const { reads, computesKv, strict, window } = config.layers[i];
    words.push(
      ...[layer.qkv, layer.o, layer.gateUp, layer.down].flatMap(place),
      layer.inputNorm.offset / 4,
      layer.mlpNorm.offset / 4,
      cache.keys.get(reads)!.offset / 16,
      cache.values.get(reads)!.offset / 16,
      kvLayers.indexOf(reads),
      Number(computesKv),
      Number(strict),
      window ?? 0,
    );
  }
  return new Uint32Array(words);
}
