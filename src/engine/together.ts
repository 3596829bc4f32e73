/** Steps of several sequences: the next token of each, so that the weights are read once for all of them. */
import type { ModelConfig } from '../model/config';
import type { Gpu } from './gpu';
import type { Kernel } from './kernel';
import type { Model } from './model';
import type { Recorder } from './recorder';
import { BATCH_ROWS, type Stage } from './stage';
import { areChosen, TOKEN_BYTES, unpackTokens, type Token } from './token';

/** Sequences that decode together, each with slots of its own from some position on. */
export interface BranchLayout {
  /** Position from which they differ: 0 for independent ones. */
  from: number;
  /** Position of the first tokens to run. */
  start: number;
  count: number;
  /** Slots of each from `from` on. */
  slots: number;
}

export class Together {
  private readonly gpu: Gpu;
  private readonly model: Model;
  private readonly config: ModelConfig;
  private readonly recorder: Recorder;
  /** A whole pass: embedding, layers, head. */
  private readonly everything: Stage;
  /** Its kernels, by how many sequences share a load of the weights. */
  private readonly few = new Map<number, Kernel[]>();
  /** What the sequences at hand run. */
  private kernels: Kernel[] = [];

  constructor(gpu: Gpu, model: Model, config: ModelConfig, recorder: Recorder, everything: Stage) {
    this.gpu = gpu;
    this.model = model;
    this.config = config;
    this.recorder = recorder;
    this.everything = everything;
  }

  /** Compiles what so many sequences take, and says which tokens they begin with. */
  async prepare({ start, slots }: BranchLayout, firsts: readonly number[]): Promise<void> {
    const { model, recorder } = this;
    const isResident = firsts.length <= model.mostResident;
    const resident = isResident ? await model.resident?.forRows(firsts.length) : null;
    if (resident) recorder.clear(resident.exchange, 0, resident.exchange.size);
    this.kernels = resident?.kernels ?? (await this.fewKernels(firsts.length));
    firsts.forEach((first, i) => model.writeSequence(recorder, start + i * slots, [first]));
  }

  /**
   * Runs the sequences' tokens of step `step`, then `steps - 1` times the likeliest ones after them,
   * in one submit, after `prepare`. Resolves with the tokens that follow: ids by step and sequence.
   * As with `Forward.decode`, steps may be asked for before those in front of them are there.
   */
  async decode(layout: BranchLayout, step: number, steps: number): Promise<number[][]> {
    let tokens = await this.run(layout, step, steps);
    if (!areChosen(tokens, this.config.vocabSize)) {
      this.model.leaveResident();
      this.kernels = await this.fewKernels(layout.count);
      tokens = await this.run(layout, step, steps);
    }
    return Array.from({ length: steps }, (_, i) =>
      Array.from({ length: layout.count }, (_, sequence) => tokens[sequence * steps + i].id),
    );
  }

  private async fewKernels(count: number): Promise<Kernel[]> {
    const rows = Math.min(count, BATCH_ROWS);
    const kernels = this.few.get(rows) ?? (await this.everything.few(rows));
    this.few.set(rows, kernels);
    return kernels;
  }

  /** The tokens that follow, by sequence and step. */
  private async run(
    { from, start, count, slots }: BranchLayout,
    step: number,
    steps: number,
  ): Promise<Token[]> {
    const { model, recorder } = this;
    const position = start + step;
    model.writeStep(recorder, position, count, { logitRow: 0, slots, from });
    for (let i = 0; i < steps; i++) recorder.run(this.kernels, { count, end: position + i + 1 });
    const parts = Array.from({ length: count }, (_, sequence) => ({
      buffer: model.sequence,
      offset: (position + sequence * slots + 1) * TOKEN_BYTES,
      size: steps * TOKEN_BYTES,
    }));
    const tokens = unpackTokens(await recorder.read(parts));
    this.gpu.assertHealthy();
    return tokens;
  }
}
