#!/usr/bin/env python3
"""Finds packages for manifest.tsv that are not in it, and adds them as rows.

usage: candidates.py npm COUNT | deb COUNT
npm: what the fetched packages depend on, at run time or for development, the most often named first (the registry has no list of popular ones).
deb: python3-* of Debian whose debian/copyright is machine-readable. Only licences of SPDX enter, in every part of a package that is
not the packaging itself. Packages are downloaded to .work as `corpus.py fetch` would, for their checksums.
"""
import collections
import glob
import json
import multiprocessing.pool
import re
import subprocess
import sys
import tarfile
import urllib.parse

import corpus

THREADS = 16
INSTALLED = 40_000, 40_000_000       # bytes of a Debian package
USABLE = 4_000                       # characters of text that a package must bring
# The licences that may enter, as they are spelled, and their SPDX names
SPDX = {'expat': 'MIT', 'apache-2': 'Apache-2.0', 'bsd-2': 'BSD-2-Clause', 'bsd-3': 'BSD-3-Clause', 'psf': 'PSF-2.0', 'psf-2': 'PSF-2.0', 'cc0': 'CC0-1.0',
        'bsd': 'BSD-3-Clause', 'apache-2.0': 'Apache-2.0', 'mit': 'MIT', 'isc': 'ISC', 'bsd-2-clause': 'BSD-2-Clause', 'bsd-3-clause': 'BSD-3-Clause',
        'public-domain': 'LicenseRef-public-domain', 'zlib': 'Zlib', 'python-2.0': 'Python-2.0', 'zpl-2.1': 'ZPL-2.1', 'cc0-1.0': 'CC0-1.0',
        'unlicense': 'Unlicense', 'hpnd': 'HPND', 'bsl-1.0': 'BSL-1.0', '0bsd': '0BSD', 'mit-0': 'MIT-0', 'blueoak-1.0.0': 'BlueOak-1.0.0'}


def parts(licence):
    """The alternatives and parts of a licence field, in lower case."""
    return [p.strip() for p in re.split(r'\s+and/or\s+|\s+or\s+|\s+and\s+|\s*,\s*|\s*/\s*', licence.strip().strip('()').lower()) if p]


def allowed(licence):
    """Whether every alternative or part of a licence field is allowed."""
    return bool(licence.strip()) and all(p in SPDX for p in parts(licence))


def dependencies(path):
    """Names in the package.json of a fetched npm package."""
    try:
        with tarfile.open(path) as tar:
            for m in tar:
                if re.fullmatch(r'[^/]+/package\.json', m.name):
                    found = json.load(tar.extractfile(m))
                    return {n for key in ('dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies') for n, v in (found.get(key) or {}).items()
                            if not str(v).startswith(('file:', 'link:', 'npm:'))}
    except (OSError, ValueError, tarfile.TarError, AttributeError):
        pass
    return set()


def latest(name):
    """The registry's entry of the newest version, or None."""
    try:
        return json.loads(corpus.request(f'{urllib.parse.quote(name, safe="@")}/latest'))
    except (OSError, ValueError):
        return None


def npm(count):
    corpus.registry()                # before threads ask for it, each with an npm of its own
    have = corpus.manifest()
    known, held_out = {p.name for p in have}, {p.name.split('/')[0] for p in have if p.split == 'eval' and '/' in p.name}       # names, scopes
    with multiprocessing.Pool() as pool:
        named = collections.Counter(n for found in pool.imap_unordered(dependencies, glob.glob(f'{corpus.WORK}/npm/*.tgz'), 8) for n in found)
    skip = re.compile(r'^@types/|^typescript$|eslint-config|^@esbuild/|^@swc/core|^@rollup/rollup-|^@babel/(preset|plugin)|-(linux|darwin|win32)-|^lodash\.')
    names = [n for n, _ in sorted(named.items(), key=lambda x: (-x[1], x[0])) if n not in known and n.split('/')[0] not in held_out and not skip.search(n)]
    print(len(names), 'names', flush=True)
    with multiprocessing.pool.ThreadPool(THREADS) as pool:
        for entry in pool.imap(latest, names):
            if not entry or count <= 0:
                continue
            licence = entry.get('license')
            if isinstance(licence, str) and allowed(licence):
                count -= 1
                yield corpus.Package('npm', entry['name'], entry['version'], licence.strip('()'), 'train', '')


def copyright_of(path):
    """Licences in the machine-readable copyright file of a .deb, without those of debian/*; empty if there is no such file."""
    with corpus.open_tar(path) as tar:
        text = next((tar.extractfile(m).read().decode(errors='replace') for m in tar if m.isfile() and re.search(r'/doc/[^/]+/copyright$', m.name)), '')
    if 'copyright-format' not in text[:400] and 'DEP5' not in text[:400]:
        return []
    found = []
    for stanza in re.split(r'\n\s*\n', text):
        files, licence = re.search(r'^Files:(.*(?:\n[ \t].*)*)', stanza, re.M), re.search(r'^License:[ \t]*(.*)', stanza, re.M)
        if files and licence and not all(f.startswith('debian/') for f in files.group(1).split()):
            found.append(licence.group(1).strip())
    return found


def deb(count):
    known = {p.name for p in corpus.manifest()}
    apt = ['apt-cache', *corpus.apt_options(), 'dumpavail']
    subprocess.run(['apt-get', *corpus.apt_options(), 'update'], check=True, stdout=subprocess.DEVNULL)
    rows, seen = [], set()
    for stanza in subprocess.run(apt, stdout=subprocess.PIPE, check=True, text=True).stdout.split('\n\n'):
        field = dict(re.findall(r'^([\w-]+): (.*)$', stanza, re.M))
        name, size = field.get('Package', ''), 1024 * int(field.get('Installed-Size') or 0)
        if name.startswith('python3-') and name not in known | seen and INSTALLED[0] <= size <= INSTALLED[1] and not re.search(r'-(doc|dbg|examples)$', name):
            seen.add(name)
            rows.append(corpus.Package('deb', name, field['Version'], '', 'train', ''))
    print(len(rows), 'packages', flush=True)
    corpus.download(rows)
    with multiprocessing.Pool() as pool:
        found = pool.map(licences, rows, 8)
    for p, licence in zip(rows, found):
        if licence and all(map(allowed, licence)) and count > 0:
            count -= 1
            yield p._replace(licence=' AND '.join(sorted({part for x in licence for part in (SPDX[p] for p in parts(x))})))


def licences(p):
    paths = glob.glob(corpus.archive_pattern(p))
    try:
        return copyright_of(paths[0]) if paths else []
    except (OSError, tarfile.TarError, subprocess.CalledProcessError):
        return []


def main(source, count):
    found = list({'npm': npm, 'deb': deb}[source](int(count)))
    corpus.download(found)
    rows, added = [p._replace(sha256=corpus.checksum(p)) for p in found if glob.glob(corpus.archive_pattern(p))], 0
    for p, docs in corpus.read_all(rows):
        if sum(len(d['t']) for d, _ in docs) >= USABLE:
            added += 1
            with open(f'{corpus.HERE}/manifest.tsv', 'a') as f:
                f.write('\t'.join(p) + '\n')
    print(f'{added} packages of {len(rows)} added')


if __name__ == '__main__':
    main(*sys.argv[1:3])
