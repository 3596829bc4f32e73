#!/usr/bin/env python3
"""Figures of a checkpoint on held-out packages, with the released int8 weights.

usage: evaluate.py CHECKPOINT HELDOUT.jsonl.xz TOKENIZER OUT_DIR [SHARE [STEP ...]]      SHARE < 1: a quick look; STEPS below, all if none is named
CHECKPOINT: a .pt of train.py, or the folder of a release. Writes OUT_DIR/results.json (bits per byte by language, by weight format and by prefill passes; convergence of the passes) and
OUT_DIR/completions.jsonl, {id, suffix, snippets: whether they were given, expected, completion, ended: by <|end|>}, for the cases of cases.py.
score.py judges them.
"""
import collections
import json
import math
import os
import random
import sys
import time

import torch
import torch.nn.functional as F

import cases
import data
import tokenizer as tok
from convergence import convergence
from export import quantised_state, read_release, restored_state
from generate import greedy
from model import LCKV
from model_config import Config

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
LIMIT = 500_000            # bytes of held-out text a language
SAMPLE = 160               # windows for comparisons of formats and passes
LINE_IDS, BLOCK_IDS = 64, 192
NO_SUFFIX = 4              # one line case in so many is also asked without its suffix


def formats(state):
    """Name -> weights as a runtime restores them."""
    low = restored_state(quantised_state(state, 4))
    embedding = 'model.embed_tokens.weight'
    eight = restored_state(quantised_state(state))
    return {'f32': state, 'f16': {n: w.half().float() for n, w in state.items()}, 'int8': eight, 'int4': low,
            'int4, embedding int8': {**low, embedding: eight[embedding]}}


def weights_of(checkpoint):
    """float32 weights of a .pt file or of the folder of a release."""
    if os.path.isdir(checkpoint):
        return restored_state({name: w.to(DEVICE) for name, w in read_release(checkpoint).items()})
    return torch.load(checkpoint, map_location=DEVICE, weights_only=True)['model']


def windows(docs, tokenizer, limit):
    """Left-to-right windows: [(language, ids, index of the first text id)]."""
    out, size = [], collections.Counter()
    for d in docs:
        if size[d['l']] > limit:
            continue
        size[d['l']] += len(d['t'])
        header = tokenizer.encode(f"{d['l']} {d['p']}", add_special_tokens=False).ids
        head = [tok.PATH, *header, tok.SUFFIX, tok.PREFIX]
        ids = tokenizer.encode(d['t'], add_special_tokens=False).ids
        step = data.ROW - len(head)
        out += [(d['l'], head + ids[i:i + step], len(head)) for i in range(0, len(ids), step)]
    return out


def padded(rows):
    out = torch.full((len(rows), max(map(len, rows))), tok.PAD)
    for i, r in enumerate(rows):
        out[i, :len(r)] = torch.tensor(r)
    return out.to(DEVICE)


def nats(model, found, **passes):
    """For each window the summed loss of its text ids."""
    out = [0.0] * len(found)
    order = sorted(range(len(found)), key=lambda i: len(found[i][1]))
    for i in range(0, len(order), 16):
        part = order[i:i + 16]
        ids = padded([found[j][1] for j in part])
        loss = F.cross_entropy(model.logits(model(ids, **passes)[:, :-1]).transpose(1, 2), ids[:, 1:], reduction='none')
        for row, j in enumerate(part):
            out[j] = loss[row, found[j][2] - 1:len(found[j][1]) - 1].sum().item()
    return out


def bits_per_byte(found, loss, bytes_of):
    """{language or 'all': bits per byte and bytes}"""
    total, size = collections.Counter(), collections.Counter()
    for (language, ids, first), x in zip(found, loss):
        n = sum(bytes_of[i] for i in ids[first:])
        for key in (language, 'all'):
            total[key] += x
            size[key] += n
    return {k: dict(bits_per_byte=round(total[k] / size[k] / math.log(2), 4), bytes=size[k]) for k in sorted(total)}


def complete(model, prompts, found, count, suffix=True, snippets=True):
    """Greedy completions of cases: [{id, suffix, snippets, expected, completion, ended}]."""
    prompts.encode_all({text for c in found for text in (c['prefix'], c['suffix'], *(f'{path}\n{code}' for path, code in c['snippets']))})
    with torch.autocast('cuda', torch.bfloat16, enabled=DEVICE == 'cuda'):
        answers = greedy(model, [prompts.ids(c, suffix, snippets) for c in found], count)
    return [dict(id=c['id'], suffix=suffix, snippets=snippets, expected=c['expected'], completion=prompts.tokenizer.decode(ids, skip_special_tokens=False), ended=ended)
            for c, (ids, ended) in zip(found, answers)]


class Report:
    """results.json, written anew with every figure, so that an evaluation cut short leaves what it has."""

    def __init__(self, out):
        self.out, self.begin, self.figures = out, time.time(), {}

    def add(self, name, figure):
        self.figures |= {name: figure, 'seconds': round(time.time() - self.begin, 1)}
        with open(f'{self.out}/results.json', 'w') as f:
            json.dump(self.figures, f, indent=1, ensure_ascii=False)
        print(name, json.dumps(figure), f"{self.figures['seconds']} s", flush=True)


def passes(model, few, bytes_of):
    """Prefill by passes 1 to 12: bits per byte, error of the keys and values, share of equal greedy ids."""
    full = [w[1] for w in few if len(w[1]) == data.ROW][:24]
    moved = convergence(model, [padded(full[i:i + 8]) for i in range(0, len(full), 8)])
    loss = {n: bits_per_byte(few, nats(model, few, no_grad_passes=n - 1, grad_passes=1), bytes_of)['all']['bits_per_byte'] for n in moved}
    return {n: dict(bits_per_byte=loss[n], kv_error=moved[n][0], agreement=moved[n][1]) for n in moved}


STEPS = {   # of a model's completions: which cases, how many ids, what of the prompt is given
    'lines': ('line', 1, LINE_IDS, dict()),
    'lines-alone': ('line', 1, LINE_IDS, dict(snippets=False)),
    'lines-before': ('line', NO_SUFFIX, LINE_IDS, dict(suffix=False, snippets=False)),
    'blocks': ('block', 1, BLOCK_IDS, dict()),
}


def main(checkpoint, heldout, tokenizer_path, out, share=1.0, *steps):
    torch.set_float32_matmul_precision('high')
    os.makedirs(out, exist_ok=True)
    report, tokenizer, docs = Report(out), tok.load(tokenizer_path), cases.documents(heldout)
    prompts, found = cases.Prompts(tokenizer), cases.make(docs, float(share))
    state = weights_of(checkpoint) if isinstance(checkpoint, str) else checkpoint
    config = Config.of(checkpoint) if isinstance(checkpoint, str) and os.path.isdir(checkpoint) else Config()
    model = LCKV(config).to(DEVICE).eval().requires_grad_(False)
    model.load_state_dict(restored_state(quantised_state(state)))
    bytes_of = [0 if n in tok.SPECIALS else len(n) for n in map(tokenizer.id_to_token, range(tok.VOCABULARY))]
    random.Random(3).shuffle(docs)
    text = windows(docs, tokenizer, int(LIMIT * float(share)))
    few = random.Random(5).sample(text, min(len(text), int(SAMPLE * float(share)) + 4))
    with torch.no_grad(), open(f'{out}/completions.jsonl', 'w') as f:
        for step in steps or ('heldout', *STEPS, 'passes', 'formats'):
            if step == 'heldout':
                report.add(step, bits_per_byte(text, nats(model, text), bytes_of))
            elif step == 'passes':
                report.add(step, passes(model, few, bytes_of))
            elif step == 'formats':
                for name, weights in formats(state).items():
                    model.load_state_dict(weights)
                    report.add(name, bits_per_byte(few, nats(model, few), bytes_of)['all'])
                model.load_state_dict(restored_state(quantised_state(state)))
            else:
                kind, each, count, given = STEPS[step]
                answers = complete(model, prompts, [c for c in found if c['kind'] == kind][::each], count, **given)
                f.writelines(json.dumps(a, ensure_ascii=False) + '\n' for a in answers)
                f.flush()
                report.add(step, dict(cases=len(answers), exact=sum(a['completion'].split('\n')[0].rstrip() == a['expected'].rstrip() for a in answers),
                                      ended=sum(a['ended'] for a in answers)))


if __name__ == '__main__':
    main(*sys.argv[1:])
