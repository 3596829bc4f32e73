// Finished completions and where they belong, so that typing what is shown, going back and undo
// need no model. Knows no editor.
import type { Trimmed } from '../../text/trim';
import type { Lack } from './outcome';
import { remaining, type Place } from './place';
import { RadixTree, type RadixNode } from './radix';

/** A completion that the model has finished, and what of it fits into the document. */
export interface Finished {
  /** The insert is empty where nothing fits. */
  trimmed: Trimmed;
  /** What it lacks, where the insert is empty. */
  lack: Lack;
}

/** A completion that goes on at a place, and what of it is left to type there. */
export interface Recalled {
  finished: Finished;
  left: Trimmed;
}

/** Where a completion was made, and when it was last used. */
interface Entry {
  uri: string;
  language: string;
  /** The text after the cursor; the one before it is the node's. */
  after: string;
  node: RadixNode<Finished>;
  /** The greater, the later. */
  used: number;
}

/** Most completions kept. */
const MAX_ENTRIES = 200;
/** Most characters of documents kept with them. */
const MAX_CHARACTERS = 20_000_000;

/** A bounded store of finished completions; of those that fit, the one used last is found. */
export class Memory {
  /** The one used last is at the end. */
  private readonly entries = new Map<Finished, Entry>();
  /** For each document, its completions by the text before them. */
  private readonly trees = new Map<string, RadixTree<Finished>>();
  private characters = 0;
  private uses = 0;

  get size(): number {
    return this.entries.size;
  }

  /** Stores what was made for a place. */
  put({ uri, language, before, after }: Place, finished: Finished): void {
    const tree = this.trees.get(uri) ?? new RadixTree();
    this.trees.set(uri, tree);
    const node = this.counted(tree, () => tree.add(before, finished));
    this.entries.set(finished, { uri, language, after, node, used: ++this.uses });
    this.characters += after.length + finished.trimmed.insert.length;
    for (const oldest of this.entries.keys()) {
      if (this.size <= MAX_ENTRIES && this.characters <= MAX_CHARACTERS) break;
      this.drop(oldest);
    }
  }

  /** Stores others that go on at a place, behind the one that leads there. */
  putBehind(leader: Finished, place: Place, others: readonly Finished[]): void {
    for (const other of others) this.put(place, other);
    this.use(leader);
  }

  /**
   * Everything that goes on at this place, what `recall` finds first; of texts that begin with one
   * another only one.
   */
  recallAll(place: Place): Trimmed[] {
    const found: Trimmed[] = [];
    for (const { left } of this.fitting(place)) {
      const isCovered = ({ insert }: Trimmed) =>
        insert.startsWith(left.insert) || left.insert.startsWith(insert);
      if (left.insert !== '' && !found.some(isCovered)) found.push(left);
    }
    return found;
  }

  /** Forgets one completion. */
  drop(finished: Finished): void {
    const entry = this.entries.get(finished);
    if (!entry) return;
    const { uri, after, node } = entry;
    const tree = this.trees.get(uri)!;
    this.counted(tree, () => tree.remove(node, finished));
    if (tree.isEmpty) this.trees.delete(uri);
    this.entries.delete(finished);
    this.characters -= after.length + finished.trimmed.insert.length;
  }

  /** Whether `recall` would find something; does not count as use. */
  knows(place: Place): boolean {
    return this.fitting(place).length > 0;
  }

  /** The completion that goes on at this place. */
  recall(place: Place): Recalled | undefined {
    const [found] = this.fitting(place);
    if (found) this.use(found.finished);
    return found;
  }

  clear(): void {
    this.entries.clear();
    this.trees.clear();
    this.characters = 0;
  }

  private use(finished: Finished): void {
    const entry = this.entries.get(finished);
    if (!entry) return;
    entry.used = ++this.uses;
    this.entries.delete(finished);
    this.entries.set(finished, entry);
  }

  /** What goes on at a place, the one used last first. */
  private fitting({ uri, language, before, after }: Place): Recalled[] {
    const fitting: (Recalled & { used: number })[] = [];
    for (const { value: finished, length } of this.trees.get(uri)?.along(before) ?? []) {
      const entry = this.entries.get(finished)!;
      const left = remaining(finished.trimmed, before.slice(length), entry.after, after);
      if (left && entry.language === language) fitting.push({ finished, left, used: entry.used });
    }
    return fitting.sort((a, b) => b.used - a.used);
  }

  /** Changes a tree and takes notice of how much it holds then. */
  private counted<T>(tree: RadixTree<Finished>, change: () => T): T {
    this.characters -= tree.characters;
    const result = change();
    this.characters += tree.characters;
    return result;
  }
}
