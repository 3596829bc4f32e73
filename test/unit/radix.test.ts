import { strict as assert } from 'node:assert';
import { seededRandom } from '../../src/engine/sample';
import { RadixTree, type RadixNode } from '../../src/host/suggest/radix';

const found = (tree: RadixTree<string>, text: string) =>
  tree.along(text).map(({ value, length }) => `${value}@${length}`);

describe('RadixTree', () => {
  it('finds what a text begins with, shortest first', () => {
    const tree = new RadixTree<string>();
    for (const text of ['abcd', 'ab', 'abx', '', 'b']) tree.add(text, text.toUpperCase());
    assert.deepEqual(found(tree, 'abcde'), ['@0', 'AB@2', 'ABCD@4']);
    assert.deepEqual(found(tree, 'abc'), ['@0', 'AB@2']);
    assert.deepEqual(found(tree, 'c'), ['@0']);
  });

  it('keeps several values of one text', () => {
    const tree = new RadixTree<string>();
    const node = tree.add('ab', '1');
    assert.equal(tree.add('ab', '2'), node);
    assert.deepEqual(found(tree, 'ab'), ['1@2', '2@2']);
    tree.remove(node, '1');
    assert.deepEqual(found(tree, 'ab'), ['2@2']);
  });

  it('holds what texts share once, and nothing when all is removed', () => {
    const tree = new RadixTree<string>();
    const long = tree.add('abcdef', 'long');
    const other = tree.add('abcxyz', 'other');
    assert.equal(tree.characters, 9);
    tree.remove(long, 'long');
    assert.equal(tree.characters, 6);
    assert.deepEqual(found(tree, 'abcxyz'), ['other@6']);
    tree.remove(other, 'other');
    assert.equal(tree.characters, 0);
    assert.ok(tree.isEmpty);
  });

  it('agrees with a list under random additions and removals', () => {
    const random = seededRandom(5);
    const text = () => Array.from({ length: random() * 9 }, () => 'ab'[+(random() < 0.5)]).join('');
    const tree = new RadixTree<string>();
    const list: { text: string; value: string; node: RadixNode<string> }[] = [];
    for (let i = 0; i < 3000; i++) {
      if (list.length > 30 || (list.length > 0 && random() < 0.3)) {
        const [{ node, value }] = list.splice(Math.floor(random() * list.length), 1);
        tree.remove(node, value);
      } else {
        const [key, value] = [text(), String(i)];
        list.push({ text: key, value, node: tree.add(key, value) });
      }
      const asked = text();
      const expected = list.filter((one) => asked.startsWith(one.text)).map(({ value }) => value);
      assert.deepEqual(
        tree
          .along(asked)
          .map(({ value }) => value)
          .sort(),
        expected.sort(),
      );
      const beginnings = new Set(
        list.flatMap((one) => Array.from(one.text, (_, end) => one.text.slice(0, end + 1))),
      );
      assert.equal(tree.characters, beginnings.size);
    }
  });
});
