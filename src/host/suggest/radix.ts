// A radix tree: texts with values, where texts that begin alike share what they begin with. Pure.

/** A stretch of text behind that of its parent, and the values whose text ends with it. */
export interface RadixNode<V> {
  text: string;
  parent: RadixNode<V> | undefined;
  readonly children: Map<string, RadixNode<V>>;
  readonly values: Set<V>;
}

/** A value, and how long the text is that it was added with. */
export interface Found<V> {
  value: V;
  length: number;
}

/** Finds the values of all texts that a text begins with by walking along that one text. */
export class RadixTree<V> {
  private readonly root = nodeOf<V>('');
  private total = 0;

  /** Characters held: those that texts share count once. */
  get characters(): number {
    return this.total;
  }

  get isEmpty(): boolean {
    return this.root.children.size === 0 && this.root.values.size === 0;
  }

  /** Adds a value; the node that it is in is what `remove` takes. */
  add(text: string, value: V): RadixNode<V> {
    let node = this.root;
    let length = 0;
    while (length < text.length) {
      const child = node.children.get(text[length]);
      node = child
        ? splitAt(child, sharedLength(child.text, text, length))
        : this.grow(node, text, length);
      length += node.text.length;
    }
    node.values.add(value);
    return node;
  }

  /** The values of every text that this one begins with, shortest first. */
  along(text: string): Found<V>[] {
    const found: Found<V>[] = [];
    let node: RadixNode<V> | undefined = this.root;
    let length = 0;
    // Cut out and compared as a whole: V8's startsWith goes character by character.
    while (node && text.slice(length, length + node.text.length) === node.text) {
      length += node.text.length;
      for (const value of node.values) found.push({ value, length });
      node = node.children.get(text[length]);
    }
    return found;
  }

  /** Removes a value from its node, and what is no longer needed of the tree. */
  remove(node: RadixNode<V>, value: V): void {
    node.values.delete(value);
    let lowest = node;
    while (lowest.parent && lowest.values.size === 0 && lowest.children.size === 0) {
      lowest.parent.children.delete(lowest.text[0]);
      this.total -= lowest.text.length;
      lowest = lowest.parent;
    }
    if (lowest.parent && lowest.values.size === 0 && lowest.children.size === 1) join(lowest);
  }

  private grow(parent: RadixNode<V>, text: string, from: number): RadixNode<V> {
    // Joined and so a copy: a mere slice would keep all of the text that it was cut from.
    const node = nodeOf<V>([text[from], text.slice(from + 1)].join(''), parent);
    this.total += node.text.length;
    return node;
  }
}

/** A node that is its parent's child. */
function nodeOf<V>(text: string, parent?: RadixNode<V>): RadixNode<V> {
  const node = { text, parent, children: new Map<string, RadixNode<V>>(), values: new Set<V>() };
  parent?.children.set(text[0], node);
  return node;
}

/** The node that ends after so many characters of this one, which is then below it. */
function splitAt<V>(node: RadixNode<V>, length: number): RadixNode<V> {
  if (length === node.text.length) return node;
  const upper = nodeOf(node.text.slice(0, length), node.parent);
  node.text = node.text.slice(length);
  node.parent = upper;
  upper.children.set(node.text[0], node);
  return upper;
}

/** Puts a node without values and its only child together; the child stays, as values know it. */
function join<V>(node: RadixNode<V>): void {
  const [child] = node.children.values();
  child.text = node.text + child.text;
  child.parent = node.parent;
  node.parent?.children.set(child.text[0], child);
}

/** How many characters a node's text has in common with a text from an index on. */
function sharedLength(own: string, text: string, from: number): number {
  if (text.slice(from, from + own.length) === own) return own.length;
  let length = 0;
  while (own.charCodeAt(length) === text.charCodeAt(from + length)) length++;
  return length;
}
