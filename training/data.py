#!/usr/bin/env python3
"""Turns source files into rows of 2048 token ids: prompts in the editor's format (snippets, suffix, prefix, middle), packed.

usage: data.py SHARD.jsonl.xz TOKENIZER OUT_DIR NAME FIRST_EPOCH LAST_EPOCH WORKERS [BRIEF]
Writes OUT_DIR/{epoch}-{chunk}-{NAME}.npy, uint16 [rows, 2048], each under its final name only when complete. Every epoch (0 to 99) draws
new cursors. BRIEF: share of the samples with little text around the cursor; the more of them, the more ids of a row are middles.
Ids of a middle and its `<|end|>` carry the bit MIDDLE: training gives them more weight (train.py).
"""
import bisect
import json
import lzma
import math
import multiprocessing
import os
import random
import re
import sys

import numpy as np

import tokenizer as tok
from snippets import Neighbours, choose

ROW = 2048
MIDDLE = 1 << 15
MAX_SUFFIX = ROW // 4        # ids
MAX_SNIPPETS = ROW // 4      # ids, all together
SNIPPETS = 0.3               # share of the samples that have some
BRIEF, BRIEF_IDS = 0.8, (32, 320)    # share of the samples with a brief context; its ids, the logarithm drawn evenly
IDS_PER_CURSOR, IDS_PER_BRIEF = 700, 130     # ids of a document that bring one sample, so that a visit makes about 1.2 times its ids
PLAIN = 0.12                 # share of the other samples that are text without a cursor
CLOSERS = set(')]}"\'`;,:> \t')
BLOCK_LINES = 8
DESCRIBED_LINES = 12
COMMENT = re.compile(r'^([ \t]*(?://|#(?!include|define|if|end)|--|\*/|/\*|"""|\'\'\')[^\n]*|[^\n]*""")(?=\n(?![ \t]*(?://|#|--|\*|/\*)))\n([ \t]*[^\s][^\n]*)', re.M)
BYTES_PER_TOKEN = 3.2
WEIGHT = {'python': 1.8, 'javascript': 1.3, 'typescript': 1.7, 'typescriptreact': 1.6, 'javascriptreact': 1.6, 'vue': 1.5, 'c': 0.8, 'java': 0.8}     # visits an epoch


def indent(line):
    return len(line) - len(line.lstrip())


def line_bounds(text, at):
    """(start, end) of the line holding offset `at`; end is the offset of its newline (of its \\r\\n)."""
    end = text.find('\n', at)
    end = len(text) if end < 0 else end
    if end > at and text[end - 1:end] == '\r':
        end -= 1
    return text.rfind('\n', 0, at) + 1, end


def in_line(text, at, rng):
    """A cursor in the line around `at`: after its indentation, at any character or, as while typing, after a word or sign."""
    start, end = line_bounds(text, at)
    first = min(start + indent(text[start:end]), end)
    if rng.random() < 0.5:
        return rng.randint(first, end)
    stops = [first] + [first + m.end() for m in re.finditer(r'\w+|[^\w\s]', text[first:end])]
    return rng.choice(stops)


def line_case(text, at, rng):
    """(prefix end, suffix start): the rest of one line."""
    cursor = in_line(text, at, rng)
    return cursor, line_bounds(text, cursor)[1]


def block_case(text, at, rng):
    """The rest of a line and up to BLOCK_LINES following lines: to a blank line, a dedent or the end of the block."""
    start, end = line_bounds(text, at)
    where = rng.random()
    cursor = end if where < 0.4 else start + indent(text[start:end]) if where < 0.7 else in_line(text, at, rng)
    cursor = min(cursor, end)
    base, stop = indent(text[start:end]), end
    for n in range(BLOCK_LINES):
        if stop >= len(text):
            break
        s, e = line_bounds(text, text.find('\n', stop) + 1) if text.find('\n', stop) >= 0 else (0, 0)
        line = text[s:e]
        if e <= stop or not line.strip() or indent(line) < base:
            break
        stop = e
        if indent(line) == base and n and line.strip()[0] in ')]}' or (n and rng.random() < 0.05):
            break
    return cursor, stop


def span_case(text, at, rng):
    """Any characters, within a line or across lines; the suffix starts right after."""
    cursor = rng.randint(max(0, at - 40), min(len(text), at + 40))
    length = int(math.exp(rng.uniform(0, 5.3)))
    return cursor, min(len(text), cursor + length)


def described_case(text, at, rng):
    """What follows a comment, from the comment's end: to a blank line, a dedent or DESCRIBED_LINES. A plain line without comments near."""
    m = COMMENT.search(text, at, at + 4000)
    if not m:
        return line_case(text, at, rng)
    base, stop = indent(m.group(2)), m.end()
    cursor = m.end(1) if rng.random() < 0.5 else m.start(2) + base
    for _ in range(DESCRIBED_LINES):
        s, e = line_bounds(text, stop + 1) if text[stop:stop + 1] == '\n' else (0, 0)
        line = text[s:e]
        if e <= stop or not line.strip() or indent(line) < base:
            break
        stop = e
    return cursor, stop


def shorten_path(path, parts):
    """The last parts of a path: the editor sends paths relative to the workspace folder."""
    return '/'.join(path.split('/')[-parts:])


def sample_budget(rng):
    """Characters of one sample: rarely a full row, for `<|end|>` must not come to mean "the row is full"."""
    return int(ROW * BYTES_PER_TOKEN * (0.04 + 0.9 * rng.random() ** 1.5))


def brief_budget(rng):
    """Characters around the cursor of a sample with a brief context."""
    low, high = BRIEF_IDS
    return int(BYTES_PER_TOKEN * low * (high / low) ** rng.random())


def cut_suffix(text, start, size):
    """At most `size` characters from `start`, cut after a line where there is one."""
    suffix = text[start:start + size]
    end = suffix.rfind('\n') + 1
    return suffix if start + size >= len(text) or end <= 1 else suffix[:end]


def pieces(neighbours, index, at, rng, brief):
    """One sample as texts: (header, snippets, suffix, prefix, middle or None). None: plain text, no cursor."""
    doc = neighbours.docs[index]
    text, parts = doc['t'], rng.randint(1, 5)
    header = f"{doc['l']} " + ('' if rng.random() < 0.1 else shorten_path(doc['p'], parts))
    budget, kind = brief_budget(rng) if brief else sample_budget(rng), rng.uniform(PLAIN if brief else 0, 1)
    if kind < PLAIN:
        start = line_bounds(text, max(0, at - budget // 2))[0] if at > budget // 2 else 0
        return header, [], '', text[start:start + budget], None if start + budget < len(text) else ''
    case = line_case if kind < 0.50 else block_case if kind < 0.80 else described_case if kind < 0.88 else span_case
    cursor, stop = case(text, at, rng)
    snippets = []
    if not brief and rng.random() < SNIPPETS:
        found = choose(neighbours, index, cursor, int(rng.uniform(0.08, 0.25) * budget), rng, rng.randint(1, 4))
        snippets = [f'{shorten_path(path, parts)}\n{code}' for path, code in found]
    suffix = '' if rng.random() < 0.15 else cut_suffix(text, stop, int(rng.uniform(0.02, 0.5 if brief else 0.25) * budget))
    room = budget - len(suffix) - sum(map(len, snippets)) - (0 if brief else stop - cursor)
    start = 0 if cursor <= room else line_bounds(text, max(0, cursor - max(room, 0)))[0]
    return header, snippets, suffix, text[start:cursor], text[cursor:stop]


def assemble(header, snippets, suffix, prefix, middle):
    """Token ids of the parts -> one sample of at most ROW ids; the prefix is cut on the left, the suffix on the right."""
    suffix, shown = suffix[:MAX_SUFFIX], []
    for ids in snippets:
        if len(shown) + len(ids) < MAX_SNIPPETS:
            shown += [tok.SNIPPET, *ids]
    tail = [] if middle is None else [i | MIDDLE for i in middle[:ROW // 2] + [tok.END]]
    room = ROW - len(header) - len(shown) - len(suffix) - len(tail) - 3
    prefix = prefix[:room] if middle is None else prefix[max(0, len(prefix) - room):]
    return [tok.PATH, *header, *shown, tok.SUFFIX, *suffix, tok.PREFIX, *prefix, *tail]


def samples(neighbours, order, tokenizer, rng, brief):
    """Samples of many documents (indices), cursors spread evenly over each; a share `brief` of them with a brief context."""
    per_sample = BYTES_PER_TOKEN * (brief * IDS_PER_BRIEF + (1 - brief) * IDS_PER_CURSOR)
    parts = []
    for index in order:
        length = len(neighbours.docs[index]['t'])
        n = max(1, round(length / per_sample))
        for i in range(n):
            at = int((i + rng.random()) / n * length)
            parts.append(pieces(neighbours, index, min(at, length - 1), rng, rng.random() < brief))
    flat = [text for header, snippets, *rest in parts for text in (header, *snippets, *(t or '' for t in rest))]
    ids = iter([e.ids for e in tokenizer.encode_batch_fast(flat, add_special_tokens=False)])
    out = []
    for _, snippets, _, _, middle in parts:
        header, shown, suffix, prefix, tail = next(ids), [next(ids) for _ in snippets], next(ids), next(ids), next(ids)
        out.append(assemble(header, shown, suffix, prefix, None if middle is None else tail))
    return out


def pack(found, rng):
    """Best-fit decreasing: whole samples into rows of ROW ids, in any order, the rest padded. -> uint16 [rows, ROW], shuffled."""
    rows, room = [], []                                   # room: sorted list of (free ids, row)
    for s in sorted(found, key=len, reverse=True):
        i = bisect.bisect_left(room, (len(s), -1))
        if i < len(room):
            free, r = room.pop(i)
            rows[r].append(s)
        else:
            free, r = ROW, len(rows)
            rows.append([s])
        if free - len(s) >= 24:
            bisect.insort(room, (free - len(s), r))
    rng.shuffle(rows)
    out = np.full((len(rows), ROW), tok.PAD, np.uint16)
    for i, parts in enumerate(rows):
        rng.shuffle(parts)
        r = sum(parts, [])
        out[i, :len(r)] = r
    return out


def load_docs(shard):
    with lzma.open(shard, 'rt', newline='') as f:
        return [d for d in map(json.loads, f) if '<|' not in d['t'] or not any(s in d['t'] for s in tok.SPECIALS)]


CHUNK = 1200
STATE = {}


def work(task):
    epoch, chunk = task
    rng = random.Random(f"{STATE['name']}-{epoch}-{chunk}")
    order = STATE['order'][epoch][chunk * CHUNK:(chunk + 1) * CHUNK]
    rows = pack(samples(STATE['neighbours'], order, STATE['tokenizer'], rng, STATE['brief']), rng)
    path = f"{STATE['out']}/{epoch:02}-{chunk:04}-{STATE['name']}"
    np.save(f'{path}.tmp.npy', rows)
    os.rename(f'{path}.tmp.npy', f'{path}.npy')
    return [int(n) for n in (rows.shape[0], (rows == tok.PATH).sum(), (rows >= MIDDLE).sum(), (rows == tok.PAD).sum())]


def main(shard, tokenizer, out, name, first, last, workers, brief=BRIEF):
    os.environ['TOKENIZERS_PARALLELISM'] = 'false'
    os.makedirs(out, exist_ok=True)
    docs = load_docs(shard)
    orders = {}
    for epoch in range(int(first), int(last) + 1):
        rng = random.Random(f'{name}{epoch}')
        orders[epoch] = [i for i, d in enumerate(docs) for _ in range(int(WEIGHT.get(d['l'], 1) + rng.random()))]
        rng.shuffle(orders[epoch])
    STATE.update(neighbours=Neighbours(docs), tokenizer=tok.load(tokenizer), out=out, name=name, order=orders, brief=float(brief))
    tasks = [(e, c) for e, order in orders.items() for c in range(math.ceil(len(order) / CHUNK))]
    with multiprocessing.get_context('fork').Pool(int(workers)) as pool:
        rows, found, middles, pads = map(sum, zip(*pool.imap(work, tasks)))
    ids = rows * ROW - pads
    print(f'{name}: epochs {first}..{last}, {rows} rows, {ids / 1e6:.1f} M ids and {100 * pads / (rows * ROW):.1f} % padding, {found} samples of '
          f'{ids / found:.0f} ids, {100 * middles / ids:.1f} % of the ids are middles', flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
