/**
 * The LCKV forward pass in double precision on the CPU, one token at a time (which is exact for
 * every layout; lckv.md sections 2 and 3). Written for reading, as the ground truth of the engine.
 */
import type { ModelConfig } from '../src/model/config';
import type { RandomSource } from './random-source';

/** Keys and values by layer: one row of kvHeads * headDim numbers for each position. */
type Cache = Map<number, { keys: number[][]; values: number[][] }>;

export class ReferenceModel {
  private readonly config: ModelConfig;
  private readonly weights: RandomSource;
  private readonly cache: Cache = new Map();
  private length = 0;

  constructor(source: RandomSource) {
    this.config = source.config;
    this.weights = source;
    source.config.layers.forEach((layer, i) => {
      if (layer.computesKv) this.cache.set(i, { keys: [], values: [] });
    });
  }

  crop(length: number): void {
    for (const { keys, values } of this.cache.values()) keys.length = values.length = length;
    this.length = length;
  }

  /** Appends a token; returns its logits [vocab]. */
  decode(token: number): number[] {
    let h = this.embedding(token);
    for (let i = 0; i < this.config.layers.length; i++) h = this.layer(i, h);
    this.length++;
    return this.logits(h);
  }

  /** Appends tokens by so many passes over each cyclic group (lckv.md section 3.2); returns the logits after each. */
  prefill(tokens: readonly number[], passes: number): number[][] {
    const start = this.length;
    let rows = tokens.map((token) => this.embedding(token));
    const eachRow = (work: (h: number[]) => number[]) => {
      rows = rows.map((h, row) => {
        this.length = start + row;
        return work(h);
      });
    };
    for (const { first, end, cyclic, targets } of this.config.groups) {
      const input = rows;
      for (const target of targets) eachRow((h) => this.begin(first, target, h));
      for (let pass = 0; pass < (cyclic ? passes : 1); pass++) {
        rows = input;
        for (let i = first; i < end; i++) eachRow((h) => this.layer(i, h));
      }
    }
    this.length = start + tokens.length;
    return rows.map((h) => this.logits(h));
  }

  private embedding(token: number): number[] {
    return this.row('model.embed_tokens.weight', token, this.config.hiddenSize);
  }

  private logits(h: number[]): number[] {
    const head = this.config.tieEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
    return this.product(head, this.norm('model.norm.weight', h));
  }

  /** Keys and values of a target before the first pass: zeros, or by the shortcut. Returns the group's input. */
  private begin(first: number, target: number, h: number[]): number[] {
    const { config } = this;
    const zeros = new Array<number>(config.kvHeads * config.headDim).fill(0);
    const { keys, values } = this.cache.get(target)!;
    [keys[this.length], values[this.length]] = [zeros, zeros];
    if (!config.shortcut) return h;
    const normed = this.norm(`model.layers.${first}.input_layernorm.weight`, h);
    this.project(target, this.product(`model.layers.${target}.shortcut.weight`, normed));
    return h;
  }

  /** Puts the keys and values of a layer into the cache; returns its normed input. */
  private project(i: number, h: number[]): number[] {
    const name = `model.layers.${i}.`;
    const x = this.norm(`${name}input_layernorm.weight`, h);
    if (!this.config.layers[i].computesKv) return x;
    const { keys, values } = this.cache.get(i)!;
    keys[this.length] = this.rotate(this.product(`${name}self_attn.k_proj.weight`, x));
    values[this.length] = this.product(`${name}self_attn.v_proj.weight`, x);
    return x;
  }

  private layer(i: number, h: number[]): number[] {
    const name = `model.layers.${i}.`;
    const { heads, kvHeads, headDim, layers } = this.config;
    const x = this.project(i, h);
    const q = this.rotate(this.product(`${name}self_attn.q_proj.weight`, x));
    const { keys, values } = this.cache.get(layers[i].reads)!;
    const { strict, window } = layers[i];
    const end = this.length + (strict ? 0 : 1);
    const first = window === null ? 0 : Math.max(0, this.length - window + 1);
    const o: number[] = [];
    for (let head = 0; head < heads; head++) {
      const offset = Math.floor(head / (heads / kvHeads)) * headDim;
      const columns = Array.from({ length: headDim }, (_, d) => d);
      const scores: number[] = [];
      for (let n = first; n < end; n++) {
        const dot = columns.reduce((s, d) => s + q[head * headDim + d] * keys[n][offset + d], 0);
        scores.push(dot / Math.sqrt(headDim));
      }
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const total = weights.reduce((a, b) => a + b, 0);
      for (const d of columns) {
        const sum = weights.reduce((s, weight, n) => s + weight * values[first + n][offset + d], 0);
        o.push(total > 0 ? sum / total : 0);
      }
    }
    const afterAttention = add(h, this.product(`${name}self_attn.o_proj.weight`, o));
    const y = this.norm(`${name}post_attention_layernorm.weight`, afterAttention);
    const gate = this.product(`${name}mlp.gate_proj.weight`, y);
    const up = this.product(`${name}mlp.up_proj.weight`, y);
    const active = gate.map((g, f) => (g / (1 + Math.exp(-g))) * up[f]);
    return add(afterAttention, this.product(`${name}mlp.down_proj.weight`, active));
  }

  private norm(name: string, h: number[]): number[] {
    const weight = this.weights.values(name);
    const mean = h.reduce((sum, x) => sum + x * x, 0) / h.length;
    const scale = 1 / Math.sqrt(mean + this.config.rmsNormEps);
    return h.map((x, i) => x * scale * weight[i]);
  }

  /** RoPE, half rotation, on every head of the vector. */
  private rotate(x: number[]): number[] {
    const { headDim, ropeTheta } = this.config;
    const half = headDim / 2;
    return x.map((value, at) => {
      const column = at % headDim;
      const angle = this.length * ropeTheta ** (-(column % half) / half);
      const partner = column < half ? -x[at + half] : x[at - half];
      return value * Math.cos(angle) + partner * Math.sin(angle);
    });
  }

  private product(name: string, x: number[]): number[] {
    const weight = this.weights.values(name);
    const rows = weight.length / x.length;
    const y = new Array<number>(rows).fill(0);
    for (let row = 0; row < rows; row++) {
      for (let c = 0; c < x.length; c++) y[row] += weight[row * x.length + c] * x[c];
    }
    return y;
  }

  private row(name: string, index: number, width: number): number[] {
    return Array.from(this.weights.values(name).subarray(index * width, (index + 1) * width));
  }
}

function add(a: number[], b: number[]): number[] {
  return a.map((x, i) => x + b[i]);
}
