/**
 * `lckv complete`: one completion at a cursor in a file, or many from lines of JSON.
 */
import { readFile } from 'node:fs/promises';
import { basename, isAbsolute, relative, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { GREEDY, type CompletionRequest } from '../protocol';
import { completionWindow } from '../text/window';
import { Session } from '../worker/session';
import { completeLines } from './lines';
import { languageOf } from './languages';
import { modelOptions, numberOption, subgroupsOption, UsageError } from './usage';

/** Runs the command; throws UsageError for arguments it does not understand. */
export async function complete(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...modelOptions,
      json: { type: 'boolean', default: false },
      jsonl: { type: 'boolean', default: false },
      line: { type: 'boolean', default: false },
      'max-tokens': { type: 'string', default: '64' },
      context: { type: 'string' },
    },
  });
  if (positionals.length !== (values.jsonl ? 0 : 1)) {
    throw new UsageError('complete takes one FILE:LINE:COL, or --jsonl and no file.');
  }
  const maxTokens = numberOption('max-tokens', values['max-tokens'], 1);
  const options = {
    adapter: values.adapter,
    subgroups: subgroupsOption(values.subgroups),
    contextTokens: values.context === undefined ? null : numberOption('context', values.context, 1),
  };
  if (values.jsonl) {
    const session = await Session.open(values.model, options);
    return completeLines(session, process.stdin, (line) => console.log(line), maxTokens);
  }
  const request: CompletionRequest = {
    ...(await readCursor(positionals[0])),
    snippets: [],
    maxTokens,
    extent: values.line ? 'line' : 'block',
    sampling: GREEDY,
  };
  const session = await Session.open(values.model, options);
  const show = (piece: string) => values.json || process.stdout.write(piece);
  const result = await collect(session, request, show);
  console.log(values.json ? JSON.stringify(result) : '');
}

/** The text and file of a cursor given as FILE:LINE:COL, both numbers 1-based. */
async function readCursor(
  cursor: string,
): Promise<Pick<CompletionRequest, 'path' | 'language' | 'prefix' | 'suffix'>> {
  const [, path, line, column] = /^(.+):(\d+):(\d+)$/.exec(cursor) ?? [];
  if (!path) throw new UsageError(`Found '${cursor}', expected FILE:LINE:COL, both from 1.`);
  const text = (await readFile(path, 'utf8')).replaceAll('\r\n', '\n');
  const lines = text.split('\n');
  const [row, characters] = [Number(line) - 1, Number(column) - 1];
  if (row < 0 || row >= lines.length) {
    throw new UsageError(`${path}: found line ${line}, expected 1 to ${lines.length}.`);
  }
  if (characters < 0 || characters > lines[row].length) {
    throw new UsageError(
      `${path}: found column ${column} in line ${line}, expected 1 to ${lines[row].length + 1}.`,
    );
  }
  const before = [...lines.slice(0, row), lines[row].slice(0, characters)].join('\n');
  return {
    path: workspacePath(path),
    language: languageOf(path),
    ...completionWindow(before, text.slice(before.length)),
  };
}

/** As VS Code names a file of the folder that is open; here that is the current one. */
function workspacePath(path: string): string {
  const inside = relative('.', path);
  const outside = inside.startsWith('..') || isAbsolute(inside);
  return outside ? basename(path) : inside.replaceAll(sep, '/');
}

/** What --json prints. Speeds in tokens per second, times in milliseconds. */
interface Result {
  text: string;
  tokens: number;
  reason: string;
  msToFirstToken: number | null;
  tokensPerSecond: number | null;
  promptTokens: number;
  reusedTokens: number;
  passes: number;
}

async function collect(
  session: Session,
  request: CompletionRequest,
  show: (piece: string) => void,
): Promise<Result> {
  const pieces = session.complete(request);
  let text = '';
  for (;;) {
    const { value, done } = await pieces.next();
    if (done) {
      const { reason, timings } = value;
      const decodeMs = timings.totalMs - timings.prefillMs;
      return {
        text,
        tokens: timings.generatedTokens,
        reason,
        msToFirstToken: timings.firstTextMs,
        tokensPerSecond: decodeMs > 0 ? (timings.generatedTokens * 1000) / decodeMs : null,
        promptTokens: timings.promptTokens,
        reusedTokens: timings.reusedTokens,
        passes: timings.passes,
      };
    }
    text += value;
    show(value);
  }
}
