"""Code of other files for a prompt, chosen as the editor does: what this file imports, then what looks like the text before the cursor."""
import collections
import os
import re

IDENTIFIER = re.compile(r'[A-Za-z_]\w{2,}')
IMPORT = re.compile(r'''^\s*(?:import|from|export|use|mod|require|include|#include|(?:const|let|var)\b.*require)\b[^\n]*''', re.M)
MODULE = re.compile(r'''[\w@-]+(?=['"`>;)\s.]|\.[\w]+['">]|\s*$)''')
DECLARATION = re.compile(r'''^(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:public\s+|pub(?:\([a-z]+\))?\s+|static\s+|final\s+|async\s+)*'''
                         r'''(?:function\*?|class|interface|type|enum|const|let|def|func|fn|struct|trait|impl)\s+(?:\([^)]*\)\s*)?([A-Za-z_]\w*)''')
LINES = 60                 # at most, of one snippet
BODY = 6                   # lines shown of one declaration


def module_names(text):
    """Last parts of the module names that the head of a file imports."""
    names = set()
    for line in IMPORT.findall(text[:6000]):
        names.update(MODULE.findall(line))
    return names


def stem(path):
    """The name by which other files import this one."""
    folder, name = os.path.split(path)
    name = name.split('.')[0]
    return os.path.basename(folder) if name in ('index', '__init__', 'mod', 'lib', 'main') and folder else name


class Neighbours:
    """Which files of the same package belong together. docs: [{"k": package, "p": path, "t": text}]"""

    def __init__(self, docs):
        self.docs, self.package, self.named = docs, collections.defaultdict(list), collections.defaultdict(list)
        for i, d in enumerate(docs):
            self.package[d['k']].append(i)
            self.named[d['k'], stem(d['p'])].append(i)

    def imported(self, index, rng):
        """At most three files of the package that this one imports."""
        d = self.docs[index]
        found = [i for name in sorted(module_names(d['t'])) for i in self.named.get((d['k'], name), ()) if i != index]
        return rng.sample(found, min(3, len(found)))

    def siblings(self, index, rng, most):
        """Other files of the package, those of the same folder first."""
        d = self.docs[index]
        group = self.package[d['k']]
        some = [i for i in rng.sample(group, min(4 * most, len(group))) if i != index]
        folder = os.path.dirname(d['p'])
        return sorted(some, key=lambda i: os.path.dirname(self.docs[i]['p']) != folder)[:most]


def declarations(text, wanted):
    """The declarations of a file whose names are wanted, some lines of each."""
    lines, out, i = text.split('\n'), [], 0
    while i < len(lines) and len(out) < LINES:
        m = DECLARATION.match(lines[i])
        if not m or m.group(1) not in wanted:
            i += 1
            continue
        stop = i + 1
        while stop < min(len(lines), i + BODY) and lines[stop].strip():
            stop += 1
        out += lines[i:stop]
        i = stop
    return '\n'.join(out[:LINES]).rstrip()


def likeness(a, b):
    """Jaccard similarity of two sets."""
    return len(a & b) / (len(a | b) or 1)


def windows(text, rng, count):
    """Random runs of 10 to 60 lines."""
    lines = text.split('\n')
    for _ in range(count):
        size = rng.randint(10, LINES)
        at = rng.randint(0, max(0, len(lines) - size))
        yield '\n'.join(lines[at:at + size]).strip('\n').rstrip()


def choose(neighbours, index, cursor, budget, rng, count, siblings=6, each=3):
    """Snippets for a cursor in document `index`: at most `count` (path, text), together at most `budget` characters: from files imported,
    and the best of `each` windows of so many siblings."""
    docs, before = neighbours.docs, neighbours.docs[index]['t'][:cursor]
    near = set(IDENTIFIER.findall('\n'.join(before[-4000:].split('\n')[-30:])))
    wanted = near | set(IDENTIFIER.findall(before[:4000]))
    found = [(docs[i]['p'], declarations(docs[i]['t'], wanted)) for i in neighbours.imported(index, rng)]
    ranked = [(likeness(set(IDENTIFIER.findall(w)), near), docs[i]['p'], w) for i in neighbours.siblings(index, rng, siblings) for w in windows(docs[i]['t'], rng, each)]
    seen = {path for path, text in found if text}
    for score, path, text in sorted(ranked, reverse=True):
        if score > 0.05 and path not in seen:
            seen.add(path)
            found.append((path, text))
    return within([f for f in found if f[1]][:count], budget)


def within(found, budget):
    """The first snippets that fit, the last one cut at a line."""
    out = []
    for path, text in found:
        room = budget - len(path) - 1
        if len(text) > room:
            text = text[:max(0, text.rfind('\n', 0, max(0, room)))].rstrip()
        if text:
            out.append((path, text))
            budget = room - len(text)
    return out
