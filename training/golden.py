#!/usr/bin/env python3
"""Exact answers of the released weights for tests. usage: golden.py CHECKPOINT.pt HELDOUT.jsonl.xz TOKENIZER OUT_DIR [COUNT]

Writes golden.json, a list of {id, language, path, prompt, greedy, margins}, and golden.safetensors, "logits" float32 [COUNT, vocab]:
the logits after each prompt's last id. int8 weights restored to float32, float32 arithmetic, prefill repeated until the shared
keys/values stand still. greedy: 16 ids, going on after an <|end|>; margins: lead of each over the second best logit.
"""
import json
import random
import sys

import torch
from safetensors.torch import save_file

import data
import tokenizer as tok
from evaluate import load_model

LANGUAGES = ['typescript', 'javascript', 'python', 'go', 'rust', 'typescriptreact', 'c', 'java']
GREEDY = 16


def prompts(docs, tokenizer, count):
    """Prompts in the editor's format: one in five of 300-400 ids, the others of 40-300."""
    rng, out = random.Random(23), []
    by_language = {l: [d for d in docs if d['l'] == l] for l in LANGUAGES}
    languages = [l for l in LANGUAGES if by_language[l]]
    while len(out) < count:
        d = rng.choice(by_language[languages[len(out) % len(languages)]])
        cursor, stop = data.line_case(d['t'], rng.randrange(len(d['t'])), rng)
        length = rng.randint(300, 400) if len(out) % 5 == 4 else rng.randint(40, 300)
        header, suffix, prefix = (e.ids for e in tokenizer.encode_batch(
            [f"{d['l']} {d['p']}", d['t'][stop:stop + 400], d['t'][max(0, cursor - 2000):cursor]], add_special_tokens=False))
        suffix = suffix[:length // 4] if len(out) % 6 else []
        room = length - len(header) - len(suffix) - 3
        if room < 8 or len(prefix) < room // 2:
            continue
        ids = [tok.PATH, *header, tok.SUFFIX, *suffix, tok.PREFIX, *prefix[-room:]]
        out.append(dict(id=len(out), language=d['l'], path=d['p'], prompt=ids))
    return out


def exact_logits(model, ids):
    """float32 [vocab] after the last id"""
    return model.logits(model(torch.tensor([ids], device='cuda'), tolerance=1e-6)[0, -1])


def main(checkpoint, heldout, tokenizer_path, out, count=50):
    torch.set_float32_matmul_precision('highest')
    tokenizer, docs = tok.load(tokenizer_path), data.load_docs(heldout)
    logits = []
    with torch.no_grad():
        model = load_model(checkpoint)
        found = prompts(docs, tokenizer, count)
        for p in found:
            ids, p['greedy'], p['margins'] = list(p['prompt']), [], []
            for step in range(GREEDY):
                x = exact_logits(model, ids)
                if step == 0:
                    logits.append(x.cpu())
                best = x.topk(2)
                p['greedy'].append(best.indices[0].item())
                p['margins'].append(round((best.values[0] - best.values[1]).item(), 4))
                ids.append(p['greedy'][-1])
    save_file({'logits': torch.stack(logits)}, f'{out}/golden.safetensors')
    with open(f'{out}/golden.json', 'w') as f:
        f.write('[\n' + ',\n'.join(json.dumps(p, separators=(',', ':')) for p in found) + '\n]\n')
    print(f"{len(found)} goldens, prompts of {min(len(p['prompt']) for p in found)} to {max(len(p['prompt']) for p in found)} ids")


if __name__ == '__main__':
    main(*sys.argv[1:5], *map(int, sys.argv[5:]))
