#!/usr/bin/env python3
"""Fetches the packages of manifest.tsv, keeps their readable source, writes compressed shards.

usage: corpus.py fetch [PATTERN] | read [PATTERN] | build [PATTERN] | table
PATTERN: only the packages in whose names it is found, and the held-out ones; a small corpus for trials.
All text stays under training/.work (git-ignored). A shard is a .jsonl.xz with one {"l": language, "k": package, "p": path, "t": text}
a line: part1, part2, ... (training) and heldout (whole packages, never trained on).
"""
import collections
import csv
import functools
import glob
import hashlib
import http.client
import io
import json
import lzma
import multiprocessing.pool
import os
import pickle
import random
import re
import subprocess
import sys
import tarfile
import threading
import urllib.parse

import filters
from near_duplicates import NearDuplicates, signature

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = os.path.join(HERE, '.work')
PACKAGE_CAP = 5_000_000          # bytes of text one package may bring; TypeScript counts half
NPM_DOWNLOADS, APT_CALLS = 12, 4 # at a time
LOCAL = threading.local()
PARTS, PART_TEXT = 6, 280_000_000      # a part travels in one call of at most 64 MiB, beside all else: 50 MiB compressed
SHARE = {'typescript': 0.28, 'typescriptreact': 0.06, 'declarations': 0.02, 'javascript': 0.18, 'javascriptreact': 0.01, 'python': 0.33, 'go': 0.04,
         'rust': 0.035, 'java': 0.02, 'c': 0.025, 'cpp': 0.02, 'css': 0.006, 'scss': 0.006, 'less': 0.003, 'html': 0.006, 'json': 0.006, 'markdown': 0.02,
         'yaml': 0.004}
with open(f'{HERE}/filters.py', 'rb') as f, open(f'{HERE}/near_duplicates.py', 'rb') as g:
    FILTERS = hashlib.sha256(f.read() + g.read()).hexdigest()[:8]
Package = collections.namedtuple('Package', 'source name version licence split sha256')


def manifest(pattern=''):
    with open(os.path.join(HERE, 'manifest.tsv')) as f:
        packages = [Package(*row) for row in csv.reader(f, delimiter='\t') if row and not row[0].startswith('#')]
    return [p for p in packages if p.split == 'eval' or re.search(pattern, p.name)]


def archive_pattern(p):
    """Glob of the files that a fetched package consists of."""
    v = p.version.split(':')[-1]
    if p.source == 'npm':
        return f"{WORK}/npm/{p.name.lstrip('@').replace('/', '-')}-{p.version}.tgz"
    if p.source == 'deb':
        return f"{WORK}/deb/{p.name}_{p.version.replace(':', '%3a')}_*.deb"
    return f"{WORK}/src/{p.name}_{re.sub(r'-[^-]*$', '', v)}.orig*.tar.*[z2]"


def checksum(p):
    """SHA-256 of the archive, of its parts by name one after the other; None where nothing was fetched."""
    digest, paths = hashlib.sha256(), sorted(glob.glob(archive_pattern(p)))
    for path in paths:
        with open(path, 'rb') as f:
            digest.update(f.read())
    return digest.hexdigest() if paths else None


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


@functools.cache
def registry():
    """Address of the npm registry that this machine is set to."""
    return subprocess.run(['npm', 'config', 'get', 'registry'], stdout=subprocess.PIPE, check=True, text=True).stdout.strip().rstrip('/')


def request(path):
    """Bytes that the registry answers with, over a connection that each thread keeps: finding its address anew each time takes longer than a package."""
    base = urllib.parse.urlsplit(registry())
    for last in (False, True):
        try:
            if not getattr(LOCAL, 'connection', None):
                kind = http.client.HTTPSConnection if base.scheme == 'https' else http.client.HTTPConnection
                LOCAL.connection = kind(base.netloc, timeout=60)
            LOCAL.connection.request('GET', f'{base.path}/{path}')
            answer = LOCAL.connection.getresponse()
            body = answer.read()
            if answer.status == 200:
                return body
            raise FileNotFoundError(f'{path}: {answer.status}')
        except FileNotFoundError:
            raise
        except (OSError, http.client.HTTPException) as error:
            LOCAL.connection = None
            if last:
                raise OSError(f'{path}: {error}') from error


def download_npm(p):
    """One tarball from the registry; what cannot be had stays missing."""
    path = archive_pattern(p)
    try:
        body = request(f"{p.name}/-/{p.name.split('/')[-1]}-{p.version}.tgz")
        with open(f'{path}.part', 'wb') as f:
            f.write(body)
        os.rename(f'{path}.part', path)
    except OSError as error:
        print(f'{p.name}@{p.version}: {error}', file=sys.stderr)


def download_apt(packages):
    """Asks apt for Debian packages, 40 a call, then those still missing one by one, as one that cannot be had spoils the call that names it."""
    apt = ['apt-get', *apt_options()]
    subprocess.run([*apt, 'update'], stdout=subprocess.DEVNULL, check=True)
    verbs = {'deb': [*apt, 'download'], 'src': [*apt, 'source', '--download-only']}
    for size in (40, 1):
        for source, verb in verbs.items():
            names = [f'{p.name}={p.version}' for p in packages if p.source == source and not glob.glob(archive_pattern(p))]
            calls = [[*verb, *names[i:i + size]] for i in range(0, len(names), size)]
            with multiprocessing.pool.ThreadPool(APT_CALLS) as pool:
                pool.map(lambda call: subprocess.run(call, cwd=f'{WORK}/{source}', stdout=subprocess.DEVNULL, check=False), calls, 1)


def download(packages):
    """Downloads the packages that are not here yet."""
    for source in ('npm', 'deb', 'src'):
        os.makedirs(f'{WORK}/{source}', exist_ok=True)
    missing = [p for p in packages if not glob.glob(archive_pattern(p))]
    with multiprocessing.pool.ThreadPool(NPM_DOWNLOADS) as pool:
        pool.map(download_npm, [p for p in missing if p.source == 'npm'], 1)
    if any(p.source != 'npm' for p in missing):
        download_apt(missing)


def fetch(pattern=''):
    """Downloads what is missing and checks every archive's SHA-256. Safe to repeat."""
    packages = manifest(pattern)
    download(packages)
    sums = {p: checksum(p) for p in packages}
    missing, wrong = [p.name for p in sums if sums[p] is None], [p.name for p in sums if sums[p] not in (None, p.sha256)]
    print(f'{len(sums)} packages, {len(missing)} missing:', *missing)
    if wrong:
        sys.exit(f'checksum differs from manifest.tsv, delete and fetch again: {" ".join(wrong)}')


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
    """One package -> its documents with their MinHash signatures, a random choice of files up to the package cap."""
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
            kept.append((dict(l=language, k=p.name, p=q, t=text), signature(text)))
            total += len(text) / (2 if language.startswith('typescript') else 1)
            if total > PACKAGE_CAP:
                break
    return kept


def kept_text(p):
    """read_package, whose result is kept on disk as long as the filters stay as they are."""
    path = f'{WORK}/read/{FILTERS}-{p.sha256[:20]}.pickle'
    if not os.path.exists(path):
        with open(f'{path}.{os.getpid()}', 'wb') as f:
            pickle.dump(read_package(p), f)
        os.rename(f.name, path)
    with open(path, 'rb') as f:
        return p, pickle.load(f)


def read_all(packages):
    """[(package, its documents with their signatures)], in order, as they are read."""
    os.makedirs(f'{WORK}/read', exist_ok=True)
    with multiprocessing.Pool() as pool:
        yield from pool.imap(kept_text, packages)


def read(pattern=''):
    """Reads and filters what has been fetched, so that `build` finds it done."""
    for p, found in read_all([p for p in manifest(pattern) if glob.glob(archive_pattern(p))]):
        print(p.name, len(found))


def share_key(doc):
    return 'declarations' if doc['p'].endswith('.d.ts') else doc['l']


def balance(docs):
    """Cuts the languages named in SHARE to at most that part of what travels."""
    size = collections.Counter()
    for d in docs:
        key = share_key(d)
        size[key] += len(d['t'])
        if size[key] <= SHARE.get(key, 1) * PARTS * PART_TEXT:
            yield d


def divide(docs):
    """Documents -> PARTS lists. Packages stay whole, as snippets come from sibling files; each language is spread evenly."""
    packages = collections.defaultdict(list)
    for d in docs:
        packages[d['k']].append(d)
    parts, sizes = [[] for _ in range(PARTS)], [collections.Counter() for _ in range(PARTS)]
    weight = {k: collections.Counter() for k in packages}
    for k, found in packages.items():
        for d in found:
            weight[k][d['l']] += len(d['t'])
    for k in sorted(packages, key=lambda k: -weight[k].total()):
        main = weight[k].most_common(1)[0][0]
        best = min((i for i in range(PARTS)), key=lambda i: sizes[i][main] + sizes[i].total() / 4)
        parts[best] += packages[k]
        sizes[best].update(weight[k])
    return parts


def write(name, docs):
    """Sorted by language and package, which compresses best."""
    path = f'{WORK}/{name}.jsonl.xz'
    with open(path, 'wb') as f:
        xz = subprocess.Popen(['xz', '-T0', '-4', '-c'], stdin=subprocess.PIPE, stdout=f)
        for d in sorted(docs, key=lambda d: (d['l'], d['k'], d['p'])):
            xz.stdin.write((json.dumps(d, ensure_ascii=False) + '\n').encode())
        xz.stdin.close()
        xz.wait()
    print(f'{name}: {len(docs)} files, {sum(len(d["t"]) for d in docs) / 1e6:.1f} MB text, {os.path.getsize(path) / 2**20:.1f} MiB xz', flush=True)


def build(pattern=''):
    packages = sorted(manifest(pattern), key=lambda p: p.split)       # eval first: training copies of held-out files are dropped
    near, docs = NearDuplicates(), {'eval': [], 'train': []}
    for p, found in read_all(packages):
        docs[p.split] += [d for d, s in found if near.add(d['t'], s)]
        print(p.name, len(found), file=sys.stderr)
    random.Random(0).shuffle(docs['train'])
    write('heldout', docs['eval'])
    for i, part in enumerate(divide(balance(docs['train']))):
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
    {'fetch': fetch, 'read': read, 'build': build, 'table': table}[sys.argv[1]](*sys.argv[2:])
