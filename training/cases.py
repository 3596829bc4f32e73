#!/usr/bin/env python3
"""Places in held-out packages where a completion is asked for, and their prompts as the extension makes them.

usage: cases.py HELDOUT.jsonl.xz OUT.jsonl     writes {id, kind, language, package, path, snippets, prefix, suffix, expected} a line
The same cases in every run: random places, chosen without a look at any model. Packages have equal weight, one case a line. Snippets are of
other files of the package, as in the rows of training, from more of them.
"""
import json
import lzma
import random
import re
import sys

import tokenizer as tok
from snippets import Neighbours
from snippets import choose as choose_snippets

LINES = {'typescript': 1000, 'javascript': 1000, 'python': 1000, 'typescriptreact': 200, 'go': 200, 'rust': 200, 'c': 200}
BLOCKS = {'typescript': 80, 'javascript': 80, 'python': 80, 'go': 30, 'rust': 30}
MAX_PREFIX, MAX_SUFFIX = 24_000, 8_000           # characters, as in src/text/window.ts
PROMPT_IDS = 1_984                               # 2,048 less the ids of a completion
SNIPPETS, SIBLINGS, WINDOWS = 4, 16, 8           # at most; files looked at besides those imported, windows of each
SNIPPET_CHARACTERS, SNIPPET_IDS = 1_800, 24      # all together; one with less room is left out, as in src/model/prompt.ts
MARK = re.compile(r'"""|\'\'\'|/\*|\*/')
COMMENT = re.compile(r'\s*(//|/\*|\*|#(?!\[|!\[|include|define|if|endif)|"""|\'\'\'|<!--|--)')


def documents(path):
    with lzma.open(path, 'rt', newline='') as f:
        return [d for d in map(json.loads, f) if '<|' not in d['t'] and '\r' not in d['t']]


def code_lines(doc):
    """[(start, end)] of the lines that are neither blank nor comment nor within a comment or docstring."""
    closing = {'"""': '"""', "'''": "'''"} if doc['l'] == 'python' else {'/*': '*/'}
    found, at, inside = [], 0, None
    for line in doc['t'].split('\n'):
        if inside is None and line.strip() and not COMMENT.match(line):
            found.append((at, at + len(line)))
        for mark in MARK.findall(line):
            inside = (None if mark == inside else inside) if inside else closing.get(mark)
        at += len(line) + 1
    return found


def line_case(doc, rng):
    """(cursor, end of the middle): a random point of a code line with 3 to 60 characters after it, or None."""
    start, end = rng.choice(doc['lines'])
    first = start + len(doc['t'][start:end]) - len(doc['t'][start:end].lstrip())
    cursor = rng.randint(first, end)
    return (cursor, end) if 3 <= len(doc['t'][cursor:end].strip()) <= 60 else None


def depth(line):
    return len(line) - len(line.lstrip())


def block_case(doc, rng):
    """(cursor, end of the middle): the end of a line that opens a block, and the block's two to eight deeper lines; or None."""
    text = doc['t']
    start, end = rng.choice(doc['lines'])
    if text[end - 1] not in ':{(':
        return None
    base, stop, count = depth(text[start:end]), end, 0
    while stop < len(text):
        after = text.find('\n', stop + 1)
        line = text[stop + 1:after if after > 0 else len(text)]
        if not line.strip() or depth(line) <= base:
            break
        stop, count = stop + 1 + len(line), count + 1
    return (end, stop) if 2 <= count <= 8 else None


def choose(docs, neighbours, counts, pick, kind, rng):
    out = []
    for language, count in counts.items():
        packages = {}
        for d in docs:
            if d['l'] == language and d.setdefault('lines', code_lines(d)):
                packages.setdefault(d['k'], []).append(d)
        weights = {k: [len(d['t']) for d in found] for k, found in packages.items()}
        seen, left = set(), 200 * count
        while packages and len(seen) < count and left:
            left -= 1
            k = rng.choice(sorted(packages))
            d = rng.choices(packages[k], weights[k])[0]
            place = pick(d, rng)
            key = place and (k, d['p'], d['t'].count('\n', 0, place[0]))
            if place is None or key in seen:
                continue
            seen.add(key)
            a, b = place
            name = f'{kind}-{language}-{len(seen)}'
            found = choose_snippets(neighbours, d['at'], a, SNIPPET_CHARACTERS, random.Random(name), SNIPPETS, SIBLINGS, WINDOWS)
            out.append(dict(id=name, kind=kind, language=language, package=k, path=d['p'], snippets=found,
                            prefix=d['t'][max(0, a - MAX_PREFIX):a], suffix=d['t'][b:b + MAX_SUFFIX], expected=d['t'][a:b]))
    return out


def make(docs, share=1.0):
    """All cases, or evenly a share of them."""
    rng, neighbours = random.Random(11), Neighbours(docs)
    for i, d in enumerate(docs):
        d['at'] = i
    found = choose(docs, neighbours, LINES, line_case, 'line', rng) + choose(docs, neighbours, BLOCKS, block_case, 'block', rng)
    number = [int(c['id'].rsplit('-', 1)[1]) for c in found]
    return [c for c, n in zip(found, number) if int(n * share) > int((n - 1) * share)]


class Prompts:
    """Prompt ids, as buildPrompt of src/model/prompt.ts makes them."""

    def __init__(self, tokenizer):
        self.tokenizer, self.known = tokenizer, {}
        names = [tokenizer.id_to_token(i) for i in range(tok.VOCABULARY)]
        self.starts_line = [n.startswith(('\u010a', '\u010d\u010a')) and n not in tok.SPECIALS for n in names]

    def encode_all(self, texts):
        """Encodes many texts at once, on all cores."""
        texts = list(texts)
        self.known = dict(zip(texts, (e.ids for e in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False))))

    def encode(self, text):
        return self.known.get(text) or self.tokenizer.encode(text, add_special_tokens=False).ids

    def suffix(self, text, budget):
        ids = self.encode(text)
        if len(ids) <= budget:
            return ids
        end = next((e for e in range(budget, 0, -1) if self.starts_line[ids[e]]), budget)
        return ids[:end]

    def prefix(self, text, budget):
        ids = self.encode(text)
        excess = len(ids) - budget
        if excess <= 0:
            return ids
        step = max(1, budget // 4)
        edge = -(-excess // step) * step
        begin = next((b for b in range(edge, min(edge + step, len(ids))) if self.starts_line[ids[b]]), edge)
        return ids[begin:]

    def snippets(self, found, budget):
        out = []
        for path, text in found:
            room = budget - len(out) - 1
            if room < SNIPPET_IDS:
                break
            out += [tok.SNIPPET, *self.suffix(f'{path}\n{text}', room)]
        return out

    def ids(self, case, suffix=True, snippets=True, budget=PROMPT_IDS):
        start = [tok.PATH, *self.encode(f"{case['language']} {case['path']}")]
        start += self.snippets(case['snippets'], budget // 4) if snippets else []
        start.append(tok.SUFFIX)
        start += self.suffix(case['suffix'], budget // 4) if suffix else []
        start.append(tok.PREFIX)
        return start + self.prefix(case['prefix'], budget - len(start))


if __name__ == '__main__':
    with open(sys.argv[2], 'w') as f:
        for case in make(documents(sys.argv[1])):
            f.write(json.dumps(case, ensure_ascii=False) + '\n')
