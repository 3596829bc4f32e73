#!/usr/bin/env python3
"""5-gram back-off models over token ids, one a language: the baseline that a neural model has to beat. A minute or two each on one core.

usage: ngram.py SHARD.jsonl.xz[,SHARD...] HELDOUT.jsonl.xz TOKENIZER OUT.jsonl [MILLION_IDS [LANGUAGE,...]]
Greedy: the commonest id after the longest of the last four, three, two or one ids that occurs in the training text (stupid back-off, whose
argmax needs no discounts), to the end of the line. Every training line is encoded in two pieces, cut at a random character, as a cursor
cuts it. Writes {id, suffix: false, completion, ended: true} for the line cases of cases.py.
"""
import json
import random
import sys

import numpy as np

import cases
import tokenizer as tok

ORDER, LINE_IDS = 5, 64
SHIFT = np.uint64(14)                     # ids are below 2**14, four of them fit a 64-bit key
HIGHEST = np.uint64(2**14 - 1)


def cut_lines(text, rng):
    """The text in pieces: every line is cut at a random place, and before its newline, where the tokenizer cuts anyway."""
    for line in text.split('\n'):
        at = rng.randint(0, len(line))
        yield '\n' + line[:at]
        yield line[at:]


def training_ids(shards, language, prompts, most):
    """uint16 ids of a language's documents, each after four <|end|> so that no context spans two."""
    rng, out, size = random.Random(1), [], 0
    docs = [d for shard in shards.split(',') for d in cases.documents(shard) if d['l'] == language]
    rng.shuffle(docs)
    for d in docs:
        pieces = prompts.tokenizer.encode_batch_fast(list(cut_lines(d['t'], rng)), add_special_tokens=False)
        ids = [tok.END] * (ORDER - 1) + [i for piece in pieces for i in piece.ids]
        out.append(np.array(ids, np.uint16))
        size += len(ids)
        if size > most:
            break
    return np.concatenate(out)


def best_next(ids, length):
    """(sorted keys of all contexts of `length` ids, the commonest next id of each; the lower id of equally common ones)."""
    key = np.zeros(len(ids) - length, np.uint64)
    for i in range(length):
        key = key << SHIFT | ids[i:len(ids) - length + i]
    order = np.argsort(key)
    key, following = key[order], ids[length:][order].astype(np.uint64)
    new = np.r_[True, key[1:] != key[:-1]]
    pairs = np.sort(np.cumsum(new, dtype=np.uint64) << SHIFT | following)     # the context's number and what follows it
    starts = np.flatnonzero(np.r_[True, pairs[1:] != pairs[:-1]])
    counts, pairs = np.diff(np.r_[starts, len(pairs)]).astype(np.uint64), pairs[starts]
    rank = counts << SHIFT | HIGHEST - (pairs & HIGHEST)                      # the largest of a context wins
    context = pairs >> SHIFT
    best = np.maximum.reduceat(rank, np.flatnonzero(np.r_[True, context[1:] != context[:-1]]))
    return key[new], (HIGHEST - (best & HIGHEST)).astype(np.uint16)


class NGram:
    def __init__(self, ids):
        self.tables = {n: best_next(ids, n) for n in range(ORDER - 1, 0, -1)}

    def next(self, context):
        """The id after the context (a list), None if even its last id was never seen."""
        for n, (keys, following) in self.tables.items():
            key = 0
            for i in context[-n:]:
                key = key << int(SHIFT) | i
            at = int(np.searchsorted(keys, np.uint64(key)))
            if len(context) >= n and at < len(keys) and keys[at] == key:
                return int(following[at])
        return None

    def line(self, context, newline):
        """Greedy ids after the context up to a line's end."""
        out = []
        while len(out) < LINE_IDS:
            i = self.next(context + out)
            if i is None or i == tok.END or newline[i]:
                break
            out.append(i)
        return out


def main(shards, heldout, tokenizer_path, out, millions=30, languages=','.join(cases.LINES)):
    tokenizer = tok.load(tokenizer_path)
    assert tok.VOCABULARY <= HIGHEST + 1
    prompts, found = cases.Prompts(tokenizer), cases.make(cases.documents(heldout))
    with open(out, 'w') as f:
        for language in languages.split(','):
            ids = training_ids(shards, language, prompts, int(float(millions) * 1e6))
            model = NGram(ids)
            print(f'{language}: {len(ids) / 1e6:.1f} M ids, contexts by length {({n: len(k) for n, (k, _) in model.tables.items()})}', flush=True)
            for c in found:
                if (c['kind'], c['language']) == ('line', language):
                    line = model.line(prompts.encode(c['prefix'][-400:]), prompts.starts_line)
                    text = tokenizer.decode(line, skip_special_tokens=False)
                    f.write(json.dumps(dict(id=c['id'], suffix=False, completion=text, ended=True)) + '\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
