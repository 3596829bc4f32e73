// The snippets of each document, which stay as they are while someone types: a prompt that changes
// before its end is read anew by the model. Knows no editor.
import type { Snippet } from '../../protocol';
import { keepOrder } from './choose';

/** Finds the snippets for where the cursor of a document is; undefined if it is not there now. */
export type Collect = (uri: string) => Promise<Snippet[] | undefined>;

export interface StickyOptions {
  collect: Collect;
  /** Called when a document has other snippets than before. */
  onChange(uri: string): void;
  /** How long nobody must have typed before something is collected, in milliseconds. */
  idleMs?: number;
}

/** Farther away than this, other snippets may fit better, in lines. */
const FAR_LINES = 40;
/** Documents whose snippets are kept. */
const MAX_DOCUMENTS = 50;

interface Entry {
  snippets: readonly Snippet[];
  /** Where the cursor was when they were collected. */
  line: number;
  isStale: boolean;
}

/** Keeps a list for each document; renews it in pauses, after jumps and other files' saving. */
export class StickySnippets {
  private readonly options: Required<StickyOptions>;
  private readonly entries = new Map<string, Entry>();
  private focus: { uri: string; line: number } | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** Counts what makes a collection that is under way outdated. */
  private moment = 0;

  constructor(options: StickyOptions) {
    this.options = { idleMs: 1500, ...options };
  }

  /** The snippets of a document; none until they were collected. */
  of(uri: string): readonly Snippet[] {
    return this.entries.get(uri)?.snippets ?? [];
  }

  /** The cursor is in this document and line now. */
  moved(uri: string, line: number): void {
    const isNew = this.focus?.uri !== uri;
    this.focus = { uri, line };
    const entry = this.entries.get(uri);
    if (entry && Math.abs(entry.line - line) > FAR_LINES) entry.isStale = true;
    if (isNew || this.timer) this.schedule(isNew && !entry ? 0 : this.options.idleMs);
    else if (entry?.isStale) this.schedule(this.options.idleMs);
  }

  /** Someone types: nothing changes until they pause. */
  typed(): void {
    this.moment++;
    if (this.timer) this.schedule(this.options.idleMs);
  }

  /** What other documents hold has changed for good. */
  outdate(except?: string): void {
    for (const [uri, entry] of this.entries) if (uri !== except) entry.isStale = true;
    this.schedule(this.options.idleMs);
  }

  clear(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.moment++;
    this.entries.clear();
  }

  private schedule(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.renew(), ms).unref();
  }

  private async renew(): Promise<void> {
    this.timer = undefined;
    const { focus, moment } = this;
    if (!focus) return;
    const { uri, line } = focus;
    const entry = this.entries.get(uri);
    if (entry && !entry.isStale) return;
    const found = await this.options.collect(uri);
    if (!found) return;
    if (this.moment !== moment && entry) return this.schedule(this.options.idleMs);
    const before = this.of(uri);
    const snippets = keepOrder(before, found);
    this.entries.delete(uri);
    this.entries.set(uri, { snippets, line, isStale: false });
    if (this.entries.size > MAX_DOCUMENTS) this.entries.delete(this.entries.keys().next().value!);
    if (JSON.stringify(snippets) !== JSON.stringify(before)) this.options.onChange(uri);
  }
}
