/**
 * `lckv demo`: the bundled model completes places in real source files, streaming, and then a
 * line is typed key by key to show what the cache saves. What `npm run demo` runs.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { GREEDY, type CompletionRequest, type Timings } from '../protocol';
import { trimCompletion } from '../text/trim';
import { completionWindow } from '../text/window';
import { Session } from '../worker/session';
import { languageOf } from './languages';
import { modelOptions, subgroupsOption } from './usage';

/** A cursor right behind the first occurrence of `after`; the rest of its line is yet to be written. */
interface Place {
  path: string;
  after: string;
}

/** Files of this project and of packages it is built with. */
const ROOT = join(import.meta.dirname, '..');
const PLACES: Place[] = [
  { path: 'src/engine/sample.ts', after: 'for (let i = 1; i < logits.length' },
  { path: 'src/engine/cache.ts', after: 'while (length < most' },
  { path: 'training/lckv_ref.py', after: 'if len(att) != n_layers:\n        ' },
  { path: 'node_modules/mocha/lib/stats-collector.js', after: 'runner.on(EVENT_TEST_FAIL, ' },
];
/** The place where typing is replayed, and how many keys. */
const TYPING = { path: 'src/text/window.ts', after: 'const suffix = ', keys: 12 };

const SHOWN_LINES = 4;
const MAX_TOKENS = 48;
const DIM = '\x1b[2m';
const GHOST = '\x1b[36m';
const PLAIN = '\x1b[0m';

/** Runs the command. */
export async function demo(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: modelOptions });
  const session = await Session.open(values.model, {
    adapter: values.adapter,
    subgroups: subgroupsOption(values.subgroups),
  });
  describe(session);
  for (const place of PLACES) {
    if (!existsSync(join(ROOT, place.path))) continue;
    const { before, after } = await cursor(place);
    heading(`${place.path}, line ${before.split('\n').length}`);
    await complete(session, place.path, before, after);
  }
  await replayTyping(session);
}

function describe(session: Session): void {
  const model = session.info();
  const { description, vendor, software } = session.device;
  const ratio = model.standardKvBytesPerToken / model.kvBytesPerToken;
  console.log(`Model    ${model.name}: ${millions(model.parameters)} M parameters`);
  console.log(
    `Cache    ${model.kvLayers} of ${model.layers} layers hold keys and values: ` +
      `${model.kvBytesPerToken} bytes a token, ${ratio.toFixed(1)} times less than a standard one`,
  );
  console.log(`Device   ${description || vendor}${software ? ' (no GPU: expect seconds)' : ''}`);
}

/** Types the file's own next characters, one by one, and completes after each. */
async function replayTyping(session: Session): Promise<void> {
  const { before, after, rest } = await cursor(TYPING);
  const line = before.split('\n').length;
  heading(`Typing ${TYPING.keys} keys in ${TYPING.path}, line ${line}`);
  let reused = 0;
  let prompt = 0;
  for (let typed = 0; typed <= TYPING.keys; typed++) {
    const keys = rest.slice(0, typed);
    const request = requestAt(TYPING.path, before + keys, after, 12);
    const { text, timings } = await run(session, { ...request, extent: 'line' });
    const lineText = (before + keys).split('\n').at(-1)!.trimStart();
    console.log(
      `${lineText}${GHOST}${text}${PLAIN}${DIM}  ${timings.reusedTokens} of ` +
        `${timings.promptTokens} prompt tokens reused, first text ${ms(timings.firstTextMs)}${PLAIN}`,
    );
    if (typed === 0) continue;
    reused += timings.reusedTokens;
    prompt += timings.promptTokens;
  }
  const share = ((100 * reused) / prompt).toFixed(1);
  console.log(`\nWhile typing, ${share} % of the prompt tokens were still in the cache.`);
}

/** Shows the end of the prefix and, streaming behind it, what the model writes. */
async function complete(
  session: Session,
  path: string,
  before: string,
  after: string,
): Promise<void> {
  const context = before.split('\n').slice(-SHOWN_LINES).join('\n');
  process.stdout.write(`${context}${GHOST}`);
  const request = requestAt(path, before, after, MAX_TOKENS);
  const { text, timings } = await run(session, request, (piece) => process.stdout.write(piece));
  console.log(PLAIN);
  const whole = { language: request.language, prefix: before, suffix: after, completion: text };
  const { insert } = trimCompletion(whole);
  if (insert !== text) console.log(`${DIM}the editor inserts: ${JSON.stringify(insert)}${PLAIN}`);
  const decodeMs = timings.totalMs - timings.prefillMs;
  console.log(
    `${DIM}${timings.promptTokens} prompt tokens (${timings.reusedTokens} reused), first text ` +
      `${ms(timings.firstTextMs)}, ${timings.generatedTokens} tokens at ` +
      `${((1000 * timings.generatedTokens) / decodeMs).toFixed(0)} tokens/s${PLAIN}`,
  );
}

async function run(
  session: Session,
  request: CompletionRequest,
  show: (piece: string) => void = () => {},
): Promise<{ text: string; timings: Timings }> {
  const pieces = session.complete(request);
  let text = '';
  for (;;) {
    const { value, done } = await pieces.next();
    if (done) return { text, timings: value.timings };
    text += value;
    show(value);
  }
}

function requestAt(
  path: string,
  before: string,
  after: string,
  maxTokens: number,
): CompletionRequest {
  const language = languageOf(path);
  const window = completionWindow(before, after);
  // Packages are shown under their own names, as they would be in their own workspace.
  const shown = path.startsWith('node_modules/') ? basename(path) : path;
  return {
    path: shown,
    language,
    ...window,
    snippets: [],
    maxTokens,
    extent: 'block',
    sampling: GREEDY,
  };
}

/** The text before the cursor, the rest of its line, and the lines below. */
async function cursor({ path, after }: Place) {
  const text = await readFile(join(ROOT, path), 'utf8');
  const found = text.indexOf(after);
  if (found < 0) throw new Error(`${path}: found no ${JSON.stringify(after)}.`);
  const at = found + after.length;
  const lineEnd = text.indexOf('\n', at);
  return { before: text.slice(0, at), rest: text.slice(at, lineEnd), after: text.slice(lineEnd) };
}

function heading(title: string): void {
  console.log(`\n── ${title} ${'─'.repeat(Math.max(0, 76 - title.length))}`);
}

const ms = (time: number | null) => (time === null ? 'none' : `after ${Math.round(time)} ms`);
const millions = (count: number) => (count / 1e6).toFixed(0);
