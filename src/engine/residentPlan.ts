/**
 * How one dispatch of the resident kernel (resident.wgsl) is shared out among its workgroups, and where it
 * finds and leaves everything.
 */
import type { ModelConfig } from '../model/config';
import type { KvCache } from './cache';
import { USUAL_SUBGROUP } from './kernel';
import type { LayerWeights, NormedMatrix } from './parameters';
import { pad8, rowBytes, type WeightType } from './precision';
import type { Matrix } from './weights';

/** How the work is shared out; any numbers are right, if the device can run so many workgroups at once. */
export interface ResidentShape {
  /** Workgroups. */
  groups: number;
  /** Invocations of each. */
  lanes: number;
  /** Blocks of 8 columns that a lane has under way. */
  depth: number;
  /** Workgroups that the device is known to run at once, for several sequences; `groups` if not given. */
  atOnce?: number;
  /** Teams that these make for several sequences; if not given, as was found to be fastest. */
  teams?: number;
}

/** Up to so many sequences have a team of workgroups each, as fast as one alone; more share so many (docs/LOG.md). */
const MOST_ALONE = 4;
const TEAMS_OF_MORE = 2;
/** More parts of a head's positions only make more to join. */
const MOST_SPLITS = 8;
/** Lanes that take a position together: where subgroups are no smaller, neighbours read 128 bytes. */
const POSITION_LANES = 8;
/** Most vectors of four that a lane of attention holds of queries, and as many of the output. */
const MOST_VECTORS = 8;
/** Rounds of two in a layer must not come full circle in one token (resident_exchange.wgsl). */
const MOST_LAYERS = 127;
/** Vectors of the exchange whose first words lie side by side, for as many lanes that read them. */
const NEIGHBOURS = USUAL_SUBGROUP;
/** The exchange begins with words that are no values. */
export const FIRST_WORD = NEIGHBOURS;
/** Where x does not fit workgroup memory, a chunk of it has a multiple of so many columns. */
const CHUNK_COLUMNS = 8 * USUAL_SUBGROUP;
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

/** Lanes of the device's smallest subgroups: WGSL has none of less than four. */
export function smallestSubgroup({ adapterInfo: { subgroupMinSize = 4 } }: GPUDevice): number {
  return subgroupMinSize;
}

/** How a number of sequences is shared out: teams of workgroups serve some of them each, side by side. */
export interface Sharing {
  teams: number;
  /** Workgroups of each. */
  groups: number;
  /** Sequences of each. */
  rows: number;
}

/** A power of two of sequences. */
export function sharingOf(shape: ResidentShape, sequences: number): Sharing {
  const { groups, atOnce = groups } = shape;
  if (sequences === 1) return { teams: 1, groups, rows: 1 };
  const wanted = shape.teams ?? (sequences > MOST_ALONE ? TEAMS_OF_MORE : sequences);
  const teams = 2 ** Math.floor(Math.log2(Math.min(wanted, sequences, atOnce)));
  return { teams, groups: Math.floor(atOnce / teams), rows: sequences / teams };
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

/** The constants of the kernel; null where it does not fit workgroup memory. */
export function constantsOf(
  config: ModelConfig,
  { lanes, depth }: ResidentShape,
  { teams, groups, rows }: Sharing,
  device: GPUDevice,
) {
  const { maxComputeWorkgroupStorageSize: workgroupBytes } = device.limits;
  const smallest = smallestSubgroup(device);
  const { hiddenSize: D, intermediateSize: F, heads: H, kvHeads: G, headDim: K } = config;
  const positionLanes = Math.min(POSITION_LANES, smallest);
  const laneVectors = Math.ceil(K / 4 / positionLanes);
  const sharedHeads = [4, 2].find((n) => (H / G) % n === 0 && n * laneVectors <= MOST_VECTORS) ?? 1;
  const subgroups = lanes / smallest;
  const units = (H / sharedHeads) * rows;
  const splits = Math.max(1, Math.min(MOST_SPLITS, Math.floor(groups / units)));
  const kvLayers = config.layers.filter(({ computesKv }) => computesKv).length;
  const shapes = products(config);
  const each = (kind: Kind) => Math.ceil(shapes[kind].pairs / groups);
  const longest = Math.max(D, F, H * K);

  const shared = (columns: number) => {
    const chunked = KINDS.map((kind) => {
      const { blocks } = shapes[kind];
      const chunks = Math.ceil((blocks * 8) / columns);
      const chunk = Math.ceil(blocks / chunks);
      const parts = partsOf(each(kind), chunk, lanes);
      const turns = Math.ceil(chunk / parts / USUAL_SUBGROUP);
      return { kind, blocks, chunks, chunk, parts, depth: Math.min(depth, turns) };
    });
    const outputs = (subgroups * sharedHeads * K) / 4;
    const xVectors = Math.max((rows * columns) / 4, lanes, outputs);
    const mostTasks = Math.max(...chunked.map(({ kind, parts }) => each(kind) * parts));
    const sums = 2 * rows * (mostTasks + each('output'));
    const attention = (sharedHeads + 2) * K + 2 * subgroups * sharedHeads + 2 * rows * H * splits;
    return {
      chunked,
      xVectors,
      mostTasks,
      bytes: 4 * (4 * xVectors + sums + lanes + attention) + 64,
    };
  };
  // As many columns at a time as there is memory for.
  let columns = longest;
  while (shared(columns).bytes > workgroupBytes) {
    columns = (Math.ceil(columns / CHUNK_COLUMNS) - 1) * CHUNK_COLUMNS;
    if (columns <= 0) return null;
  }
  const { chunked, xVectors, mostTasks } = shared(columns);
  const perKind = {} as Record<`DEPTH_${Kind}`, number> & Record<string, number>;
  for (const { kind, ...numbers } of chunked) {
    for (const [name, value] of Object.entries(numbers)) {
      perKind[`${name.toUpperCase()}_${kind}`] = value;
    }
  }
  const turnsOf = (kind: Kind) => {
    const { chunk } = chunked.find((one) => one.kind === kind)!;
    return Math.ceil((chunk * 2) / (lanes / rows));
  };
  let words = 0;
  const region = (count: number) => {
    const begin = words;
    words += Math.ceil(count / (4 * NEIGHBOURS)) * 4 * NEIGHBOURS;
    return begin;
  };
  return {
    TEAMS: teams,
    ROWS: rows,
    LANES: lanes,
    GROUPS: groups,
    SPLITS: splits,
    SUBGROUPS: subgroups,
    POSITION_LANES: positionLanes,
    LANE_VECTORS: laneVectors,
    SHARED_HEADS: sharedHeads,
    LAYERS: config.layers.length,
    WIDTH: D,
    MLP_WIDTH: F,
    HEADS: H,
    KV_HEADS: G,
    QUERIES_PER_KV: H / G,
    HEAD_DIM: K,
    VOCAB: config.vocabSize,
    STRIDE: pad8(config.vocabSize),
    EPS: { f32: config.rmsNormEps },
    NEIGHBOURS,
    COLUMNS: columns,
    X_VECTORS: xVectors,
    WIDTH_TURNS: turnsOf('qkv'),
    MLP_TURNS: turnsOf('down'),
    MOST_TASKS: mostTasks,
    RESIDUAL_PAIRS: each('output'),
    RESIDUAL: region(rows * D),
    QUERY: region(rows * H * K),
    FRESH: region(rows * kvLayers * 2 * G * K),
    PARTIAL: region(rows * H * splits * K),
    TOTALS: region(rows * H * splits * 4),
    ACTIVATED: region(rows * F),
    CHOICES: region(rows * groups * 4),
    WORDS: words,
    FIRST_WORD,
    ...perKind,
  };
}

/** Layers that one dispatch runs: [from, end). */
export interface Segment {
  from: number;
  end: number;
}

/** `Plan` of resident.wgsl: where everything lies. */
export function planOf(
  config: ModelConfig,
  cache: KvCache,
  dtype: WeightType,
  embedding: Matrix,
  head: NormedMatrix,
  layers: readonly LayerWeights[],
  { from, end }: Segment,
  mostReads: number,
): Uint32Array<ArrayBuffer> {
  const blockBytes = rowBytes(dtype, 8);
  const place = ({ pieces: [{ values, scales }] }: Matrix) => [
    values.offset / blockBytes,
    scales ? scales.offset / 2 : 0,
  ];
  const kvLayers = [...cache.keys.keys()];
  const tables = [embedding, head.matrix].flatMap(place);
  const words = [...tables, head.norm.offset / 4, mostReads, from, end];
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
