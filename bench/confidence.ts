/**
 * `confidence FOLDER`: completes lines at random cursors in text that the model may know, and prints
 * for several measures of how sure it was, and several thresholds, the share of lines that would be
 * shown, the share of those that are exactly right, and how many right ones would be lost.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { languageOf } from '../src/cli/languages';
import { Engine } from '../src/engine/engine';
import { generate } from '../src/engine/generate';
import { Gpu } from '../src/engine/gpu';
import { seededRandom } from '../src/engine/sample';
import { openCheckpoint } from '../src/model/checkpoint';
import { buildPrompt } from '../src/model/prompt';
import { Tokenizer } from '../src/model/tokenizer';
import { GREEDY } from '../src/protocol';
import { LineExtent } from '../src/text/extent';
import { trimCompletion } from '../src/text/trim';
import { completionWindow } from '../src/text/window';
import { report, round, type Row } from './report';

const MAX_TOKENS = 24;

/** A line that was completed: whether it is the true one, and its tokens' log-probabilities. */
interface Line {
  isExact: boolean;
  logs: number[];
}

/** How sure a model was of a line, 0 to 1. */
const MEASURES: Record<string, (logs: readonly number[]) => number> = {
  product: (logs) => Math.exp(sum(logs)),
  mean: (logs) => Math.exp(sum(logs) / logs.length),
  least: (logs) => Math.exp(Math.min(...logs)),
  first: (logs) => Math.exp(logs[0]),
};
const THRESHOLDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5];

/** Runs the benchmark. */
export async function confidence(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      model: { type: 'string', default: 'models/lckv-code-55m' },
      lines: { type: 'string', default: '100' },
      prompt: { type: 'string', default: '128' },
      seed: { type: 'string', default: '1' },
    },
  });
  const [folder = 'src'] = positionals;
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.\w+$/.test(name));
  const gpu = await Gpu.open();
  const checkpoint = await openCheckpoint(values.model);
  const tokenizer = await Tokenizer.open(values.model);
  const contextTokens = Number(values.prompt) + MAX_TOKENS;
  const engine = await Engine.load(gpu, checkpoint, { contextTokens });
  const random = seededRandom(Number(values.seed));
  const lines: Line[] = [];
  while (lines.length < Number(values.lines)) {
    const path = names.sort()[Math.floor(random() * names.length)];
    const text = await readFile(join(folder, path), 'utf8').catch(() => '');
    const at = Math.floor(random() * text.length);
    const truth = /^[^\n]*/.exec(text.slice(at))![0].trimEnd();
    if (truth.trim() === '') continue;
    lines.push(await complete(engine, tokenizer, path, text.slice(0, at), truth, text.slice(at)));
    console.log(JSON.stringify(lines.at(-1)));
  }
  report('confidence', gpu.info.description, tradeOff(lines));
}

async function complete(
  engine: Engine,
  tokenizer: Tokenizer,
  path: string,
  before: string,
  truth: string,
  rest: string,
): Promise<Line> {
  const language = languageOf(path);
  const suffix = rest.slice(truth.length);
  const budget = engine.contextTokens - MAX_TOKENS;
  const request = { path, language, ...completionWindow(before, suffix), snippets: [] };
  const { ids } = buildPrompt(tokenizer, request, budget, engine.config.bosToken);
  const stopTokens = [...engine.config.eosTokens, ...tokenizer.specialIds];
  const options = { maxTokens: MAX_TOKENS, stopTokens, sampling: GREEDY };
  const stats = { promptTokens: 0, reusedTokens: 0, passes: 0, prefillMs: 0 };
  const extent = new LineExtent();
  const decoder = tokenizer.createDecoder();
  const logs: number[] = [];
  let completion = '';
  for await (const { id, logProbability } of generate(engine, ids, options, stats)) {
    logs.push(logProbability);
    completion += extent.take(decoder.push(id));
    if (extent.ended) break;
  }
  const { insert } = trimCompletion({ language, prefix: before, suffix, completion });
  return { isExact: insert.trimEnd() === truth, logs };
}

function tradeOff(lines: readonly Line[]): Row[] {
  const known = lines.filter(({ logs }) => logs.length > 0);
  const exact = known.filter(({ isExact }) => isExact).length;
  const rowOf = (measure: string, least: number): Row => {
    const shown = known.filter(({ logs }) => MEASURES[measure](logs) >= least);
    const right = shown.filter(({ isExact }) => isExact).length;
    return {
      measure,
      least,
      shown: round(shown.length / known.length),
      exactOfShown: round(right / (shown.length || 1)),
      exactKept: round(right / (exact || 1)),
    };
  };
  const rows = Object.keys(MEASURES).flatMap((measure) =>
    THRESHOLDS.map((least) => rowOf(measure, least)),
  );
  return [rowOf('mean', 0), ...rows];
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
