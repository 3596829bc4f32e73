#!/usr/bin/env python3
"""How much text an id holds, by the size of the vocabulary: one BPE training of the largest size, whose first merges are those of the smaller ones.

usage: vocabulary.py SHARD.jsonl.xz HELDOUT.jsonl.xz [MEGABYTES]     plain Python; two minutes for 30 MB on one core
Prints bytes of held-out text an id by language and size, and what the embedding takes of a model of the released width.
"""
import collections
import heapq
import json
import lzma
import random
import sys

import bpe
import tokenizer as tok
from model_config import Config

SIZES = [8192, 16384, 24576, 32768]
LANGUAGES = ['typescript', 'javascript', 'python', 'go', 'rust', 'c', 'css', 'markdown']
LONGEST, LEAST, HELDOUT_BYTES = 32, 2, 500_000      # bytes of a token; times that a word must come; of each language


def words_of(texts):
    """Counter of the pre-tokens, as bytes."""
    pattern, found = bpe.translated(tok.PATTERN), collections.Counter()
    for text in texts:
        found.update(pattern.findall(text))
    return collections.Counter({word.encode('utf-8', 'surrogatepass'): n for word, n in found.items()})


def merges_of(counted, size):
    """[(left id, right id)] in order of training; ids below 256 are bytes, special tokens are left out of the count."""
    words, counts = zip(*((list(w), n) for w, n in counted.items() if n >= LEAST and len(w) > 1))
    pairs, places, length = collections.Counter(), collections.defaultdict(set), {b: 1 for b in range(256)}
    for i, (word, n) in enumerate(zip(words, counts)):
        for pair in zip(word, word[1:]):
            pairs[pair] += n
            places[pair].add(i)
    heap, merges = [(-n, pair) for pair, n in pairs.items()], []
    heapq.heapify(heap)
    while heap and len(merges) + 256 + len(tok.SPECIALS) < size:
        n, pair = heapq.heappop(heap)
        if pairs[pair] != -n:                                   # an old entry
            if pairs[pair] > 0:
                heapq.heappush(heap, (-pairs[pair], pair))
            continue
        if length[pair[0]] + length[pair[1]] > LONGEST:
            continue
        new, changed = 256 + len(merges), set()
        length[new] = length[pair[0]] + length[pair[1]]
        merges.append(pair)
        for i in places.pop(pair):
            word, count = words[i], counts[i]
            for old in zip(word, word[1:]):
                pairs[old] -= count
            word[:] = merged(word, pair, new)
            for now in zip(word, word[1:]):
                pairs[now] += count
                places[now].add(i)
                if new in now:
                    changed.add(now)
        for now in changed:
            heapq.heappush(heap, (-pairs[now], now))
    return merges


def merged(word, pair, new):
    """The word with every pair, from the left, as one."""
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(word[i])
            i += 1
    return out


def ids_of(word, ranks, most):
    """How many ids a word takes with the first `most` merges."""
    word = list(word)
    while len(word) > 1:
        rank, pair = min((ranks.get(p, most), p) for p in zip(word, word[1:]))
        if rank >= most:
            break
        word = merged(word, pair, 256 + rank)
    return len(word)


def held_out(path):
    """{language: texts, HELDOUT_BYTES in all}, drawn at random."""
    with lzma.open(path, 'rt', newline='') as f:
        docs = list(map(json.loads, f))
    random.Random(1).shuffle(docs)
    found, size = collections.defaultdict(list), collections.Counter()
    for d in docs:
        if size[d['l']] < HELDOUT_BYTES:
            found[d['l']].append(d['t'])
            size[d['l']] += len(d['t'])
    return found


def sample(shard, megabytes):
    """Texts drawn at random, so many megabytes."""
    texts, size = [], 0
    for text in tok.texts(shard, 0.25):
        texts.append(text)
        size += len(text)
        if size > megabytes * 1e6:
            break
    return texts


def main(shard, heldout, megabytes='40'):
    merges = merges_of(words_of(sample(shard, float(megabytes))), max(SIZES))
    ranks = {pair: i for i, pair in enumerate(merges)}
    texts, width = held_out(heldout), Config().hidden_size
    print(f'| ids | {" | ".join(LANGUAGES)} | embedding |\n|---|{"---|" * (len(LANGUAGES) + 1)}')
    counted = {language: words_of(texts[language]) for language in LANGUAGES}
    for size in SIZES:
        most, cells = size - 256 - len(tok.SPECIALS), []
        for words in counted.values():
            ids = sum(n * ids_of(word, ranks, most) for word, n in words.items())
            cells.append(f'{sum(len(word) * n for word, n in words.items()) / ids:.2f}')
        print(f'| {size:,} | {" | ".join(cells)} | {size * width / 1e6:.1f} M |', flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
