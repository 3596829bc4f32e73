/**
 * `lckv logits`: what the model computes, in full, to be compared with a reference.
 */
import { parseArgs } from 'node:util';
import { Engine, type Passes } from '../engine/engine';
import { Gpu } from '../engine/gpu';
import { openCheckpoint } from '../model/checkpoint';
import { modelOptions, numberOption, subgroupsOption, UsageError } from './usage';

/** Runs the command; throws UsageError for arguments it does not understand. */
export async function logits(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ...modelOptions,
      tokens: { type: 'string' },
      passes: { type: 'string', default: 'exact' },
      'crop-to': { type: 'string' },
      then: { type: 'string' },
    },
  });
  const passes = passesOption(values.passes);
  const subgroups = subgroupsOption(values.subgroups);
  if (values.tokens === undefined) throw new UsageError('logits needs --tokens, a JSON array.');

  const checkpoint = await openCheckpoint(values.model);
  const { vocabSize } = checkpoint.config;
  const tokens = tokensOption('tokens', values.tokens, vocabSize);
  const then = values.then === undefined ? [] : tokensOption('then', values.then, vocabSize);
  const kept =
    values['crop-to'] === undefined ? tokens.length : numberOption('crop-to', values['crop-to'], 0);
  if (kept > tokens.length) {
    throw new UsageError(`--crop-to: found ${kept}, expected at most ${tokens.length}.`);
  }

  const gpu = await Gpu.open({ adapter: values.adapter, subgroups });
  // A number of passes is meant for all tokens at once, however the engine would divide them.
  const chunkTokens =
    typeof passes === 'number' ? Math.max(1, tokens.length, then.length) : undefined;
  const engine = await Engine.load(gpu, checkpoint, { chunkTokens });
  await print(engine, tokens, passes);
  engine.crop(kept);
  await print(engine, then, passes);
}

async function print(engine: Engine, tokens: number[], passes: Passes): Promise<void> {
  if (tokens.length === 0) return;
  for (const row of await engine.prefillWithLogits(tokens, { passes })) {
    console.log(JSON.stringify(Array.from(row)));
  }
}

function passesOption(value: string): Passes {
  if (value === 'exact' || value === 'trained' || value === 'sequential') return value;
  return numberOption('passes', value, 1);
}

function tokensOption(name: string, text: string, vocabSize: number): number[] {
  const expected = `a JSON array of token ids from 0 to ${vocabSize - 1}`;
  const fault = new UsageError(`--${name}: found '${text}', expected ${expected}.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fault;
  }
  const isToken = (id: unknown): id is number =>
    Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize;
  if (!Array.isArray(value) || !value.every(isToken)) throw fault;
  return value;
}
