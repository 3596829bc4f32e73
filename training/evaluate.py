#!/usr/bin/env python3
"""Figures of a checkpoint on held-out packages, with the released int8 weights in float32.

usage: evaluate.py CHECKPOINT.pt HELDOUT.jsonl.xz TOKENIZER OUT.json [SHARE]      SHARE < 1: a quick look
Bits per byte by language, loss by number of prefill passes, exact match of single lines, sample completions.
"""
import collections
import json
import math
import random
import sys
import time

import torch
import torch.nn.functional as F

import data
import tokenizer as tok
from export import quantised_state, restored_state
from model import LCKV
from model_config import Config

LIMIT = 600_000            # bytes of held-out text a language
CASES, NEW = 500, 32


def load_model(checkpoint, int8=True):
    state = torch.load(checkpoint, map_location='cuda', weights_only=True)['model']
    model = LCKV(Config()).cuda().eval().requires_grad_(False)
    model.load_state_dict(restored_state(quantised_state(state)) if int8 else state)
    return model


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
    return out.cuda()


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
    total, size = collections.Counter(), collections.Counter()
    for (language, ids, first), x in zip(found, loss):
        n = sum(bytes_of[i] for i in ids[first:])
        for key in (language, 'all'):
            total[key] += x
            size[key] += n
    return {k: dict(bits_per_byte=round(total[k] / size[k] / math.log(2), 4), bytes=size[k]) for k in sorted(total)}


def line_cases(docs, tokenizer, count, seed=11):
    """Cursors in held-out files: [(document, prompt ids, rest of the line)]."""
    rng, out = random.Random(seed), []
    while len(out) < count:
        d = rng.choice(docs)
        cursor, stop = data.line_case(d['t'], rng.randrange(len(d['t'])), rng)
        middle = d['t'][cursor:stop]
        if not 3 <= len(middle.strip()) <= 60:
            continue
        header, suffix, prefix = (e.ids for e in tokenizer.encode_batch(
            [f"{d['l']} {d['p']}", d['t'][stop:stop + 700], d['t'][max(0, cursor - 6000):cursor]], add_special_tokens=False))
        suffix = suffix[:data.MAX_SUFFIX]
        prefix = prefix[-(data.ROW - NEW - len(header) - len(suffix) - 3):]
        out.append((d, [tok.PATH, *header, tok.SUFFIX, *suffix, tok.PREFIX, *prefix], middle))
    return out


def greedy(model, prompts, count=NEW):
    """Greedy continuations, batched, the whole row anew for each token (causal, so padding on the right does no harm)."""
    out = [None] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for i in range(0, len(order), 50):
        part = order[i:i + 50]
        ids = padded([prompts[j] + [tok.PAD] * count for j in part])
        at = torch.tensor([len(prompts[j]) for j in part], device='cuda')
        rows = torch.arange(len(part), device='cuda')
        for step in range(count):
            with torch.autocast('cuda', torch.bfloat16):
                hidden = model(ids[:, :at.max() + step], grad_passes=1, no_grad_passes=6)
            ids[rows, at + step] = model.logits(hidden[rows, at + step - 1].float()).argmax(-1)
        for row, j in enumerate(part):
            out[j] = ids[row, at[row]:at[row] + count].tolist()
    return out


def until_end(ids):
    return ids[:ids.index(tok.END)] if tok.END in ids else ids


def exact_match(model, docs, tokenizer, share):
    cases = line_cases(docs, tokenizer, int(CASES * share))
    right, count, samples = collections.Counter(), collections.Counter(), []
    for (d, prompt, middle), ids in zip(cases, greedy(model, [c[1] for c in cases])):
        text = tokenizer.decode(until_end(ids), skip_special_tokens=False)
        good = text.split('\n')[0].rstrip() == middle.rstrip()
        for key in (d['l'], 'all'):
            count[key] += 1
            right[key] += good
        if len(samples) < 24:
            samples.append(dict(language=d['l'], package=d['k'], path=d['p'], exact=good,
                                before=tokenizer.decode(prompt[prompt.index(tok.PREFIX) + 1:])[-160:], expected=middle, completion=text))
    return {k: dict(exact=right[k], cursors=count[k]) for k in sorted(count)}, samples


def main(checkpoint, heldout, tokenizer_path, out, share=1.0):
    torch.set_float32_matmul_precision('high')
    begin, tokenizer, docs = time.time(), tok.load(tokenizer_path), data.load_docs(heldout)
    random.Random(3).shuffle(docs)
    names = [tokenizer.id_to_token(i) for i in range(tok.VOCABULARY)]
    bytes_of = [0 if n in tok.SPECIALS else len(n) for n in names]
    result = {}
    with torch.no_grad():
        model = load_model(checkpoint)
        found = windows(docs, tokenizer, int(LIMIT * share))
        result['heldout'] = bits_per_byte(found, nats(model, found), bytes_of)
        few = random.Random(5).sample(found, min(len(found), int(320 * share) + 16))
        result['passes'] = {n: bits_per_byte(few, nats(model, few, no_grad_passes=n - 1, grad_passes=1), bytes_of)['all']['bits_per_byte']
                            for n in range(1, 11)}
        result['single_line'], result['samples'] = exact_match(model, docs, tokenizer, share)
        model = load_model(checkpoint, int8=False)
        result['float32'] = bits_per_byte(few, nats(model, few), bytes_of)['all']
    result['seconds'] = round(time.time() - begin, 1)
    with open(out, 'w') as f:
        json.dump(result, f, indent=1, ensure_ascii=False)
    print(json.dumps({k: v for k, v in result.items() if k != 'samples'}))


if __name__ == '__main__':
    main(*sys.argv[1:5], *map(float, sys.argv[5:]))
