#!/usr/bin/env python3
"""Fetches the packages of manifest.tsv, keeps their readable source, writes compressed shards.

usage: corpus.py fetch | build [PARTS] | table
All text stays under training/.work (git-ignored). A shard is a .jsonl.xz with one {"l": language, "k": package, "p": path, "t": text}
a line: part1, part2, ... (training) and heldout (whole packages, never trained on).
"""
import collections
import csv
import glob
import io
import json
import lzma
import multiprocessing
import os
import random
import re
import subprocess
import sys
import tarfile

import filters

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = os.path.join(HERE, '.work')
PACKAGE_CAP = 5_000_000          # bytes of text one package may bring
PART_XZ = 58 * 2**20             # one part has to travel in one call of at most 64 MiB
SHARE = {'json': 0.015, 'markdown': 0.05, 'html': 0.015, 'css': 0.02, 'scss': 0.01, 'less': 0.005, 'yaml': 0.01, 'declarations': 0.05,
         'python': 0.28, 'go': 0.10, 'rust': 0.09, 'c': 0.05, 'cpp': 0.05, 'java': 0.07, 'javascript': 0.28}
Package = collections.namedtuple('Package', 'source name version licence split')


def manifest():
    with open(os.path.join(HERE, 'manifest.tsv')) as f:
        return [Package(*row) for row in csv.reader(f, delimiter='\t') if row and not row[0].startswith('#')]


def archive_pattern(p):
    """Glob of the files that a fetched package consists of."""
    v = p.version.split(':')[-1]
    if p.source == 'npm':
        return f"{WORK}/npm/{p.name.lstrip('@').replace('/', '-')}-{p.version}.tgz"
    if p.source == 'deb':
        return f"{WORK}/deb/{p.name}_{p.version.replace(':', '%3a')}_*.deb"
    return f"{WORK}/src/{p.name}_{re.sub(r'-[^-]*$', '', v)}.orig*.tar.*[z2]"


def apt_options():
    """Options that make apt read a sources file of our own: the machine's own URIs with source packages switched on."""
    parts = f'{WORK}/apt/parts'
    os.makedirs(parts, exist_ok=True)
    os.makedirs(f'{WORK}/apt/lists/partial', exist_ok=True)
    with open('/etc/apt/sources.list.d/debian.sources') as f:
        stanza = '\n'.join(line for line in f.read().split('\n\n')[0].splitlines() if not line.startswith('#'))
    with open(f'{parts}/sources.sources', 'w') as f:
        f.write(re.sub(r'Types:.*', 'Types: deb deb-src', stanza) + '\n')
    return ['-oDir::Etc::sourcelist=/dev/null', f'-oDir::Etc::sourceparts={parts}', f'-oDir::State::lists={WORK}/apt/lists',
            '-oDir::Cache::pkgcache=', '-oDir::Cache::srcpkgcache=', '-oAPT::Sandbox::User=root']


def fetch():
    """Downloads what is missing. Safe to repeat."""
    missing = [p for p in manifest() if not glob.glob(archive_pattern(p))]
    for kind in ('npm', 'deb', 'src'):
        os.makedirs(f'{WORK}/{kind}', exist_ok=True)
    for p in (p for p in missing if p.source == 'npm'):
        subprocess.run(['npm', 'pack', '--silent', '--ignore-scripts', f'{p.name}@{p.version}'], cwd=f'{WORK}/npm', check=False)
    if any(p.source != 'npm' for p in missing):
        options = apt_options()
        subprocess.run(['apt-get', *options, 'update'], check=True)
        for p in (p for p in missing if p.source != 'npm'):
            verb = ['download'] if p.source == 'deb' else ['source', '--download-only']
            subprocess.run(['apt-get', *options, *verb, f'{p.name}={p.version}'], cwd=f'{WORK}/{p.source}', check=False)
    left = [p.name for p in manifest() if not glob.glob(archive_pattern(p))]
    print(f'{len(left)} of {len(manifest())} packages missing:', *left)


def open_tar(path):
    if path.endswith('.deb'):
        raw = subprocess.run(['dpkg-deb', '--fsys-tarfile', path], stdout=subprocess.PIPE, check=True).stdout
        return tarfile.open(fileobj=io.BytesIO(raw))
    return tarfile.open(path)


def inner_path(source, path):
    """Path inside the project, without what only the packaging adds."""
    if source != 'deb':
        return path.split('/', 1)[-1]
    return re.sub(r'^\./|^usr/(share/(gocode/src/[^/]+\.[a-z]+/[^/]+/([^/]+)/|cargo/registry/[^/]+/)|lib/(python3(\.\d+)?|go-[\d.]+)/(dist-packages/)?'
                  r'|(share|lib|src)/)', '', path.removeprefix('./'))


def candidates(p):
    """{path: bytes} of a package's files that may be source."""
    files = {}
    for archive in glob.glob(archive_pattern(p)):
        with open_tar(archive) as tar:
            for m in tar:                                   # in archive order: going back would decompress all anew
                path = inner_path(p.source, m.name)
                if m.isfile() and 200 <= m.size < 3_000_000 and filters.language_of(path) and not filters.SKIP_PATH.search(path):
                    files[path] = tar.extractfile(m).read()
    return files


def read_package(p):
    """One package -> [(language, package, path, text)], a random choice of files up to the package cap."""
    files = candidates(p)
    paths = {q: len(raw) for q, raw in files.items()}
    if p.source == 'npm':
        paths = filters.drop_twins(filters.preferred_tree(paths))
    order, kept, total = sorted(paths), [], 0
    random.Random(p.name).shuffle(order)
    for q in order:
        language = filters.language_of(q)
        text = filters.clean(files[q], q, language)
        if text:
            kept.append((language, p.name, q, text))
            total += len(text)
            if total > PACKAGE_CAP:
                break
    return p, kept


def near_duplicate(text, seen):
    """True if most three-line shingles of the text are already in `seen`; otherwise adds them."""
    lines = [s for s in map(str.strip, text.split('\n')) if len(s) > 3]
    marks = [hash((lines[i], lines[i + 1], lines[i + 2])) for i in range(max(0, len(lines) - 2))]
    if not marks or sum(m in seen for m in marks) > 0.5 * len(marks):
        return True
    seen.update(marks)
    return False


def share_key(doc):
    return 'declarations' if doc[2].endswith('.d.ts') else doc[0]


def balance(docs):
    """Cuts the languages named in SHARE to at most that part of the whole."""
    size, limit = collections.Counter(), {k: v * sum(len(d[3]) for d in docs) for k, v in SHARE.items()}
    kept = []
    for d in docs:
        key = share_key(d)
        size[key] += len(d[3])
        if size[key] <= limit.get(key, float('inf')):
            kept.append(d)
    return kept


def write(name, docs):
    """Sorted by language and package, which compresses best. Returns the compressed size."""
    path = f'{WORK}/{name}.jsonl.xz'
    with open(path, 'wb') as f:
        xz = subprocess.Popen(['xz', '-T2', '-5', '-c'], stdin=subprocess.PIPE, stdout=f)
        for l, k, p, t in sorted(docs, key=lambda d: d[:3]):
            xz.stdin.write((json.dumps(dict(l=l, k=k, p=p, t=t), ensure_ascii=False) + '\n').encode())
        xz.stdin.close()
        xz.wait()
    print(f'{name}: {len(docs)} files, {sum(len(d[3]) for d in docs) / 1e6:.1f} MB text, {os.path.getsize(path) / 2**20:.1f} MiB xz')


def build(parts=2, text_per_part=330_000_000):
    packages = sorted(manifest(), key=lambda p: p.split)       # eval first: training copies of held-out files are dropped
    seen, docs = set(), {'eval': [], 'train': []}
    with multiprocessing.Pool(2) as pool:
        for p, found in pool.imap(read_package, packages):
            docs[p.split] += [d for d in found if not near_duplicate(d[3], seen)]
            print(p.name, len(found), file=sys.stderr)
    random.Random(0).shuffle(docs['train'])
    train = balance(docs['train'])
    cuts, size = [[] for _ in range(parts)], 0
    for d in train:
        size += len(d[3])
        if size >= parts * text_per_part:
            break
        cuts[int(size // text_per_part)].append(d)
    write('heldout', docs['eval'])
    for i, part in enumerate(cuts):
        write(f'part{i + 1}', part)
    table()


def table():
    """Markdown table of bytes and files by language."""
    rows = collections.defaultdict(lambda: [0, 0, 0])
    for path in sorted(glob.glob(f'{WORK}/part*.jsonl.xz')) + [f'{WORK}/heldout.jsonl.xz']:
        with lzma.open(path, 'rt') as f:
            for line in f:
                d = json.loads(line)
                row = rows[d['l']]
                row[0] += 1
                row[2 if 'heldout' in path else 1] += len(d['t'].encode())
    total = [sum(r[i] for r in rows.values()) for i in range(3)]
    print('| language | files | training MB | share | held-out MB |\n|---|---|---|---|---|')
    for name, r in sorted(rows.items(), key=lambda x: -x[1][1]) + [('total', total)]:
        print(f'| {name} | {r[0]} | {r[1] / 1e6:.1f} | {100 * r[1] / total[1]:.1f} % | {r[2] / 1e6:.2f} |')


if __name__ == '__main__':
    {'fetch': fetch, 'build': lambda: build(*map(int, sys.argv[2:])), 'table': table}[sys.argv[1]]()
