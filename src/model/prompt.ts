/**
 * Cursor context to token ids, within a budget. The one place that knows the prompt formats.
 * Both put the text before the cursor last, so typing only appends ids, and the left edge of
 * that text moves rarely and in big steps: the engine's cache then holds nearly all of a prompt.
 */
import type { Tokenizer } from './tokenizer';

/** What the prompt tells the model. */
export interface PromptRequest {
  path: string;
  /** VS Code language id. */
  language: string;
  /** Text before the cursor. */
  prefix: string;
  /** Text after the cursor. */
  suffix: string;
  /** Text of other files, the most useful first; empty for a model not trained with any. */
  snippets: readonly { path: string; text: string }[];
}

/** A prompt's token ids. */
export interface Prompt {
  ids: number[];
  /** How many of them are snippets with their marks and paths. */
  snippetTokens: number;
}

/** The smallest budget that holds a sensible prompt, in tokens. */
export const MIN_PROMPT_TOKENS = 16;

/** Of the budget, the text after the cursor gets at most this share. */
const SUFFIX_SHARE = 1 / 4;
/** Of the budget, language and path get at most this share. */
const HEADER_SHARE = 1 / 8;
/** Of the budget, all snippets together get at most this share. */
const SNIPPETS_SHARE = 1 / 4;
/** A snippet that would have less room than this is left out, in tokens. */
const MIN_SNIPPET_TOKENS = 24;
/** The left edge moves by this share of the prefix's budget. */
const STEP_SHARE = 1 / 4;

/**
 * The prompt's token ids, at most `budgetTokens` of them. Models with fill-in-the-middle tokens
 * get `<|path|> language path`, `<|snippet|> path code` for each snippet, `<|suffix|> suffix` and
 * `<|prefix|> prefix`; others BOS and the prefix.
 */
export function buildPrompt(
  tokenizer: Tokenizer,
  request: PromptRequest,
  budgetTokens: number,
  bosToken: number | null = null,
): Prompt {
  if (budgetTokens < MIN_PROMPT_TOKENS) {
    throw new RangeError(`${budgetTokens} tokens hold no prompt, at least ${MIN_PROMPT_TOKENS} do`);
  }
  const marks = fillInTheMiddleMarks(tokenizer);
  if (!marks) {
    const start = bosToken !== null && tokenizer.specialIds.has(bosToken) ? [bosToken] : [];
    const prefix = prefixTokens(tokenizer, request.prefix, budgetTokens - start.length);
    return { ids: [...start, ...prefix], snippetTokens: 0 };
  }
  const header = headerTokens(tokenizer, request, Math.floor(budgetTokens * HEADER_SHARE));
  const suffix = startTokens(tokenizer, request.suffix, Math.floor(budgetTokens * SUFFIX_SHARE));
  const snippets = snippetTokens(tokenizer, request, Math.floor(budgetTokens * SNIPPETS_SHARE));
  const start = [marks.path, ...header, ...snippets, marks.suffix, ...suffix, marks.prefix];
  const prefix = prefixTokens(tokenizer, request.prefix, budgetTokens - start.length);
  return { ids: [...start, ...prefix], snippetTokens: snippets.length };
}

/** The ids that frame a fill-in-the-middle prompt, or null when the model was trained without. */
export function fillInTheMiddleMarks(
  tokenizer: Tokenizer,
): { path: number; suffix: number; prefix: number } | null {
  const path = tokenizer.special('<|path|>');
  const suffix = tokenizer.special('<|suffix|>');
  const prefix = tokenizer.special('<|prefix|>');
  return path === null || suffix === null || prefix === null ? null : { path, suffix, prefix };
}

/** Language and path; of a path too long only the file's name. */
function headerTokens(tokenizer: Tokenizer, request: PromptRequest, budget: number): number[] {
  const full = tokenizer.encode(`${request.language} ${request.path}`);
  if (full.length <= budget) return full;
  const file = request.path.slice(request.path.lastIndexOf('/') + 1);
  return tokenizer.encode(`${request.language} ${file}`).slice(0, budget);
}

/** The snippets with their marks and paths; the last one that finds room may lack its end. */
function snippetTokens(tokenizer: Tokenizer, request: PromptRequest, budget: number): number[] {
  const mark = tokenizer.special('<|snippet|>');
  const all: number[] = [];
  for (const { path, text } of mark === null ? [] : request.snippets) {
    const room = budget - all.length - 1;
    if (room < MIN_SNIPPET_TOKENS) break;
    all.push(mark!, ...startTokens(tokenizer, `${path}\n${text.replace(/\r?\n$/, '')}`, room));
  }
  return all;
}

/** The start of a text, cut before a line if there is one to cut before. */
function startTokens(tokenizer: Tokenizer, text: string, budget: number): number[] {
  const tokens = tokenizer.encode(text);
  if (tokens.length <= budget) return tokens;
  for (let end = budget; end > 0; end--) {
    if (tokenizer.startsLine(tokens[end])) return tokens.slice(0, end);
  }
  return tokens.slice(0, budget);
}

/**
 * The end of the text before the cursor. What is dropped is a multiple of `step`, then up to the
 * next line start, so the left edge depends on nothing that typing changes until it moves on.
 */
function prefixTokens(tokenizer: Tokenizer, text: string, budget: number): number[] {
  const tokens = tokenizer.encode(text);
  const excess = tokens.length - budget;
  if (excess <= 0) return tokens;
  const step = Math.max(1, Math.floor(budget * STEP_SHARE));
  const edge = Math.ceil(excess / step) * step;
  for (let begin = edge; begin < edge + step; begin++) {
    if (tokenizer.startsLine(tokens[begin])) return tokens.slice(begin);
  }
  return tokens.slice(edge);
}
