#!/usr/bin/env python3
"""Judges completions: one table of exact match and edit similarity by language, as the model wrote them and as the extension trims them.

usage: score.py HELDOUT.jsonl.xz COMPLETIONS.jsonl [NGRAM.jsonl]      run in the repository's root; needs node and `npm run build`
First line: what the completion adds to the cursor's line. Exact: equal to what stood there, blanks at the end aside.
Similarity: 1 - edit distance / length of the longer one. A loop: the last 48 characters consist of one piece three times or more.
"""
import collections
import itertools
import json
import re
import subprocess
import sys

import cases

LOOP = re.compile(r'(.{1,80}?)\1{2,}$', re.S)


def edit_distance(a, b):
    """Levenshtein distance of two strings."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        left, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            left, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, left + (x != y))
    return row[-1]


def similarity(a, b):
    return 1 - edit_distance(a, b) / max(len(a), len(b), 1)


def first_line(text):
    return text.split('\n')[0].rstrip()


def loops(text):
    m = LOOP.search(text.rstrip())
    return bool(m) and len(m.group(0)) >= 48


def trim(rows):
    """The completions as `lckv trim` would insert them. rows: [(case, completion)]."""
    lines = ''.join(json.dumps(dict(id=i, language=c['language'], prefix=c['prefix'], suffix=c['suffix'], completion=text)) + '\n'
                    for i, (c, text) in enumerate(rows))
    done = subprocess.run(['node', 'dist/lckv.mjs', 'trim', '--jsonl'], input=lines, stdout=subprocess.PIPE, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a['id'] for a in answers] == list(range(len(rows))), 'lckv trim lost a line'
    return [a['insert'] for a in answers]


def judge(rows):
    """{(kind, language): sums} of rows [(case, text, ended)]."""
    out = collections.defaultdict(collections.Counter)
    for case, text, ended in rows:
        line = case['kind'] == 'line'
        got, want = (first_line(text), first_line(case['expected'])) if line else (text.rstrip(), case['expected'].rstrip())
        for key in (case['language'], 'all'):
            out[case['kind'], key].update(cases=1, exact=got == want, similar=similarity(got, want), ended=ended, loops=loops(text))
    return out


def print_table(title, judged):
    print(f'\n{title}\n\n| kind | language | cases | exact | similarity | ends by itself | loops |\n|---|---|---|---|---|---|---|')
    for (kind, language), n in sorted(judged.items()):
        share = [f'{100 * n[k] / n["cases"]:.1f} %' for k in ('exact', 'similar', 'ended', 'loops')]
        print(f'| {kind} | {language} | {n["cases"]} | {" | ".join(share)} |')


def main(heldout, *answers):
    found = {c['id']: c for c in cases.make(cases.documents(heldout))}
    for path in answers:
        with open(path) as f:
            given = [json.loads(line) for line in f]
        strange = [a['id'] for a in given if a.get('expected', found[a['id']]['expected']) != found[a['id']]['expected']]
        assert not strange, f'{path}: made from other held-out files: {strange[:3]}'
        for suffix, snippets in itertools.product((True, False), repeat=2):
            rows = [(found[a['id']] if suffix else {**found[a['id']], 'suffix': ''}, a['completion'], a['ended'])
                    for a in given if (a['suffix'], a.get('snippets', False)) == (suffix, snippets)]
            if rows:
                name = f'{path}, {"with" if suffix else "without"} suffix, {"with" if snippets else "without"} snippets'
                print_table(f'{name}, as written', judge(rows))
                print_table(f'{name}, trimmed', judge([(c, t, e) for (c, _, e), t in zip(rows, trim([r[:2] for r in rows]))]))


if __name__ == '__main__':
    main(*sys.argv[1:])
