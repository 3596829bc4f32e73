#!/usr/bin/env python3
"""Exact answers of the released model, for tests of the runtime.

usage: golden.py prompts HELDOUT.jsonl.xz TOKENIZER OUT_DIR [COUNT]      needs tokenizers
       golden.py answers MODEL_DIR OUT_DIR                               needs numpy only; minutes on two cores
Writes golden.json, a list of {id, language, path, prompt, greedy, margins}, and golden.safetensors, "logits" float32 [COUNT, vocab]:
the logits after each prompt's last id. int8 weights restored, float64 arithmetic, prefill token by token (exact).
greedy: 16 ids, going on after an <|end|>; margins: lead of each over the second best logit.
"""
import json
import random
import struct
import sys

import numpy as np

from lckv_ref import LCKV

LANGUAGES = ['typescript', 'javascript', 'python', 'go', 'rust', 'typescriptreact', 'c']
GREEDY = 16
DTYPES = {'I8': np.int8, 'F16': np.float16, 'F32': np.float32}


def write_prompts(heldout, tokenizer_path, out, count=50):
    """Prompts in the editor's format: one in five of 300-400 ids, the others of 40-300."""
    import data
    import tokenizer as tok
    tokenizer, docs, rng, found = tok.load(tokenizer_path), data.load_docs(heldout), random.Random(23), []
    by_language = {l: [d for d in docs if d['l'] == l] for l in LANGUAGES}
    while len(found) < int(count):
        d = rng.choice(by_language[LANGUAGES[len(found) % len(LANGUAGES)]])
        cursor, stop = data.line_case(d['t'], rng.randrange(len(d['t'])), rng)
        length = rng.randint(300, 400) if len(found) % 5 == 4 else rng.randint(40, 300)
        header, suffix, prefix = (e.ids for e in tokenizer.encode_batch(
            [f"{d['l']} {d['p']}", d['t'][stop:stop + 400], d['t'][max(0, cursor - 2000):cursor]], add_special_tokens=False))
        suffix = suffix[:length // 4] if len(found) % 6 else []
        room = length - len(header) - len(suffix) - 3
        if room < 8 or len(prefix) < room // 2:
            continue
        ids = [tok.PATH, *header, tok.SUFFIX, *suffix, tok.PREFIX, *prefix[-room:]]
        found.append(dict(id=len(found), language=d['l'], path=d['p'], prompt=ids))
    write_json(out, found)


def write_json(out, found):
    with open(f'{out}/golden.json', 'w') as f:
        f.write('[\n' + ',\n'.join(json.dumps(p, separators=(',', ':')) for p in found) + '\n]\n')


def load_model(folder):
    """config.json and model.safetensors (int8 groups) -> float64 reference model."""
    with open(f'{folder}/model.safetensors', 'rb') as f:
        size, = struct.unpack('<Q', f.read(8))
        head, body, tensors = json.loads(f.read(size)), f.read(), {}
    for name, t in head.items():
        if name != '__metadata__':
            a, b = t['data_offsets']
            tensors[name] = np.frombuffer(body[a:b], DTYPES[t['dtype']]).reshape(t['shape']).astype(np.float64)
    weights = {}
    for name, w in tensors.items():
        scale = tensors.get(f'{name}_scale')
        if not name.endswith('_scale'):
            weights[name] = w if scale is None else (w.reshape(len(w), -1, 32) * scale[..., None]).reshape(w.shape)
    with open(f'{folder}/config.json') as f:
        return LCKV(json.load(f), weights)


def write_answers(folder, out):
    model, logits = load_model(folder), []
    with open(f'{out}/golden.json') as f:
        found = json.load(f)
    for p in found:
        cache, p['greedy'], p['margins'] = model.new_cache(), [], []
        x = model.prefill(p['prompt'], cache, 'seq')[-1]
        logits.append(x.astype(np.float32))
        for _ in range(GREEDY):
            second, best = np.argsort(x)[-2:]
            p['greedy'].append(int(best))
            p['margins'].append(round(float(x[best] - x[second]), 4))
            x = model.decode(int(best), cache)
    raw = np.stack(logits)
    head = json.dumps(dict(logits=dict(dtype='F32', shape=raw.shape, data_offsets=[0, raw.nbytes]))).encode()
    head += b' ' * (-len(head) % 8)
    with open(f'{out}/golden.safetensors', 'wb') as f:
        f.write(struct.pack('<Q', len(head)) + head + raw.tobytes())
    write_json(out, found)
    print(f"{len(found)} goldens, prompts of {min(len(p['prompt']) for p in found)} to {max(len(p['prompt']) for p in found)} ids")


if __name__ == '__main__':
    {'prompts': write_prompts, 'answers': write_answers}[sys.argv[1]](*sys.argv[2:])
