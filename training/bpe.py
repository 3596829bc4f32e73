#!/usr/bin/env python3
"""The tokenizer in plain Python, for machines without the package `tokenizers`: the same ids, about two megabytes a second.

usage: bpe.py TOKENIZER.json CASES.json     compares with the ids of `tokenizers` that CASES.json holds
It has what we use of a tokenizers.Tokenizer, for the shape of tokenizer.json that tokenizer.py writes: a split by one pattern, byte-level BPE.
"""
import collections
import json
import re
import sys
import unicodedata

Encoding = collections.namedtuple('Encoding', 'ids')


def category(letter):
    """The characters of a Unicode category by its first letter, as the inside of a class of `re`, which knows no \\p{...}."""
    ranges, start = [], None
    for i in range(sys.maxunicode + 2):
        inside = i <= sys.maxunicode and unicodedata.category(chr(i))[0] == letter
        if inside and start is None:
            start = i
        elif not inside and start is not None:
            ranges.append(f'\\U{start:08x}-\\U{i - 1:08x}')
            start = None
    return ''.join(ranges)


def translated(pattern):
    """A pattern with \\p{L} or \\p{N}, within brackets or alone -> one of `re`."""
    parts, depth = [], 0
    for part in re.split(r'(\\p\{.\}|\\.|[\[\]])', pattern):
        depth += (part == '[') - (part == ']')
        if part.startswith('\\p'):
            part = category(part[3]) if depth else f'[{category(part[3])}]'
        parts.append(part)
    return re.compile(''.join(parts))


def byte_names():
    """The character that stands for each byte in the vocabulary, as in GPT-2."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(others)}


class Tokenizer:
    def __init__(self, path):
        with open(path, encoding='utf-8') as f:
            spec = json.load(f)
        self.vocabulary = spec['model']['vocab'] | {t['content']: t['id'] for t in spec['added_tokens']}
        self.names = {i: name for name, i in self.vocabulary.items()}
        self.ranks = {tuple(pair): i for i, pair in enumerate(spec['model']['merges'])}
        self.pattern = translated(spec['pre_tokenizer']['pretokenizers'][0]['pattern']['Regex'])
        self.letters = byte_names()
        self.bytes = {c: b for b, c in self.letters.items()}
        self.known = {}

    def word(self, text):
        """Ids of one piece of the split: the pair that was merged first in training is merged first."""
        parts = [self.letters[b] for b in text.encode()]
        while len(parts) > 1:
            rank, pair = min((self.ranks.get(pair, len(self.ranks)), pair) for pair in zip(parts, parts[1:]))
            if rank == len(self.ranks):
                break
            merged, i = [], 0
            while i < len(parts):
                both = tuple(parts[i:i + 2]) == pair
                merged.append(''.join(pair) if both else parts[i])
                i += 1 + both
            parts = merged
        return [self.vocabulary[p] for p in parts]

    def encode(self, text, add_special_tokens=False):
        ids, known = [], self.known
        for piece in self.pattern.findall(text):
            found = known.get(piece)
            if found is None:
                found = known[piece] = self.word(piece)
            ids += found
        return Encoding(ids)

    def encode_batch_fast(self, texts, add_special_tokens=False):
        return [self.encode(text) for text in texts]

    encode_batch = encode_batch_fast

    def decode(self, ids, skip_special_tokens=False):
        raw = b''.join(bytes(self.bytes[c] for c in self.names[i]) if all(c in self.bytes for c in self.names[i]) else self.names[i].encode() for i in ids)
        return raw.decode(errors='replace')

    def id_to_token(self, i):
        return self.names.get(i)


def main(path, cases):
    tokenizer, failed = Tokenizer(path), 0
    with open(cases) as f:
        found = json.load(f)
    for case in found:
        got = tokenizer.encode(case['text']).ids
        if got != case['ids'] or tokenizer.decode(got) != case['text']:
            failed += 1
            print('differs:', repr(case['text']), case['ids'], got)
    print(f'{len(found) - failed} passed, {failed} failed')
    sys.exit(failed > 0)


if __name__ == '__main__':
    main(*sys.argv[1:])
