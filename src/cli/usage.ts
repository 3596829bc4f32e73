/**
 * What the command line takes, as text and as checks.
 */
import { fileURLToPath } from 'node:url';

/** The caller asked for something the command line does not understand: exit code 2. */
export class UsageError extends Error {}

export const USAGE = `usage: lckv COMMAND

  complete FILE:LINE:COL  Complete at a cursor (both 1-based) and print the text as it comes.
      --line              end at the end of the line
      --max-tokens N      most tokens to generate (default 64)
      --context N         most tokens of prompt and completion together
      --json              print one JSON object with text, tokens and times instead
  complete --jsonl        Read {"id","path","language","prefix","suffix","maxTokens"} lines on
                          stdin, write {"id","completion","raw","timings"} lines.
  trim --jsonl            Read {"id","language","prefix","suffix","completion"} lines on stdin,
                          write {"id","insert","replace"} lines: what an editor would insert,
                          and how many characters right of the cursor that replaces. No model.
  logits --tokens [1,2]   Print the logits after each token, one JSON array per line.
      --passes P          exact (default), trained, sequential, or a number of passes over
                          all tokens
      --crop-to K         then cut the cache back to K tokens
      --then [3,4]        and feed these
  info                    Describe a model.
      --json              as one JSON object
  demo                    Show the extension's engine at work.

options of all commands but demo and trim:
  --model DIR             folder with config.json, tokenizer.json and model.safetensors
                          (default: the bundled model)
  --adapter NAME          part of the name of the GPU to use
  --subgroups auto|off    whether kernels may use subgroups (default auto)
`;

/** Options that several commands share, for node:util's parseArgs. */
export const modelOptions = {
  model: { type: 'string', default: bundledModel() },
  adapter: { type: 'string' },
  subgroups: { type: 'string', default: 'auto' },
} as const;

/** Checks --subgroups. */
export function subgroupsOption(value: string): 'auto' | 'off' {
  if (value === 'auto' || value === 'off') return value;
  throw new UsageError(`--subgroups: found '${value}', expected auto or off.`);
}

/** Checks an option that is a whole number of at least `min`. */
export function numberOption(name: string, value: string, min: number): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(number) && number >= min) return number;
  throw new UsageError(`--${name}: found '${value}', expected a whole number from ${min}.`);
}

/** The model that comes with the extension, seen from dist/. */
function bundledModel(): string {
  return fileURLToPath(new URL('../models/lckv-code-55m', import.meta.url));
}
