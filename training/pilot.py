#!/usr/bin/env python3
"""Short equal runs of several layouts from scratch: same rows, order, seed and steps. Shows what condensing costs.

usage: pilot.py ROWS_DIR HELDOUT.jsonl.xz TOKENIZER OUT.jsonl M_IDS SECONDS [RUN,...]     RUN: one of LAYOUTS
Prints and writes one JSON line a run: held-out bits per byte, share of the lines completed exactly, seconds of training, bytes of keys and
values a token (bf16). No run begins after SECONDS. `converted` goes on from what `standard` leaves half-way in OUT.jsonl.half.pt, and waits for it.
"""
import json
import os
import random
import sys
import time
from dataclasses import replace

import torch

import cases
import data
import packing
import tokenizer as tok
from evaluate import LINE_IDS, bits_per_byte, complete, nats, windows
from model import LCKV
from model_config import Config
from train import ACCUMULATE, MICRO, Rows, head_loss, optimizers, rate

STAGES = [(0.6, 1, 1), (1.01, 5, 2)]         # until this share of the steps: passes without and with gradient
MIDDLE = '0_5_5_5_5_5_5_5_5_5_5_11'
LAYOUTS = {
    'standard': '0_1_2_3_4_5_6_7_8_9_10_11', 'middle': MIDDLE, 'converted': MIDDLE, 'paper': '0_10_10_10_10_10_10_10_10_10_10_11',
    'lower': '0_3_3_3_3_3_3_3_3_3_3_11', 'higher': '0_8_8_8_8_8_8_8_8_8_8_11',             # where the target sits
    'two': '5_5_5_5_5_5_5_5_5_5_5_11', 'four': '0_1_5_5_5_5_5_5_5_5_5_11',                 # how many keep keys/values
    'wide': '0_3_3_3_3_3_3_7', 'deep': '0_9_9_9_9_9_9_9_9_9_9_9_9_9_9_9_9_9_9_19',         # about the same work a token
}
SHAPES = {
    'wide': dict(hidden_size=640, intermediate_size=1920, num_attention_heads=10, num_key_value_heads=5),
    'deep': dict(hidden_size=384, intermediate_size=1152, num_attention_heads=6, num_key_value_heads=3),
}
WINDOWS = 160
LINES = 0.2                # share of the line cases


def passes(config, done):
    return next((n, g) for until, n, g in STAGES if done < until) if config.group() else (0, 1)


def converted(state, config):
    """A standard transformer's weights -> LCKV's: each layer that keeps keys/values gets the mean over the layers that read it."""
    out, sources = {}, config.sources()
    for name, w in state.items():
        layer, kind = (int(name.split('.')[2]), name.split('.')[-2]) if '.layers.' in name else (-1, '')
        if kind not in ('k_proj', 'v_proj'):
            out[name] = w
        elif sources[layer] == layer:
            out[name] = torch.stack([state[name.replace(f'.{layer}.', f'.{i}.', 1)] for i, t in enumerate(sources) if t == layer]).mean(0)
    return out


def train(model, rows, steps, first=0, keep=None):
    """Trains from step `first` to `steps`; keep: (step, path) for the weights after that many steps. -> seconds"""
    opts, loss_fn = optimizers(model), torch.compile(head_loss)
    begin = None
    for step in range(first, steps):
        done = step / steps
        n, g = passes(model.c, done)
        for _ in range(ACCUMULATE):
            ids, _ = rows.next(MICRO)
            with torch.autocast('cuda', torch.bfloat16):
                hidden = model(ids, n, g, masks=packing.masks(ids))
                loss = loss_fn(model.model.embed_tokens.weight, hidden, ids, torch.zeros_like(ids, dtype=torch.bool))[0] / ACCUMULATE
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o, peak in opts:
            for group in o.param_groups:
                group['lr'] = peak * min(rate(done), (step - first + 1) / 10)
            o.step()
        model.zero_grad(set_to_none=True)
        if step == first + 4:                                # compiled by now
            torch.cuda.synchronize()
            begin = time.time()
        if keep and step + 1 == keep[0]:
            torch.save(model.state_dict(), f'{keep[1]}.tmp')
            os.rename(f'{keep[1]}.tmp', keep[1])
    torch.cuda.synchronize()
    return time.time() - begin


def lines_exact(model, prompts, lines):
    answers = complete(model, prompts, lines, LINE_IDS, snippets=False)
    return round(sum(a['completion'].split('\n')[0].rstrip() == a['expected'].rstrip() for a in answers) / len(answers), 4)


def main(rows_dir, heldout, tokenizer_path, out, m_ids, seconds, runs='standard,middle,converted,paper'):
    end = time.time() + float(seconds)
    torch.set_float32_matmul_precision('high')
    torch._dynamo.config.cache_size_limit = 64
    tokenizer, docs = tok.load(tokenizer_path), cases.documents(heldout)
    prompts, lines = cases.Prompts(tokenizer), [c for c in cases.make(docs, LINES) if c['kind'] == 'line']
    random.Random(3).shuffle(docs)
    names = [tokenizer.id_to_token(i) for i in range(tok.VOCABULARY)]
    bytes_of = [0 if n in tok.SPECIALS else len(n) for n in names]
    found = windows(docs, tokenizer, 300_000)
    found = random.Random(5).sample(found, min(len(found), WINDOWS))
    steps = round(float(m_ids) * 1e6 / (MICRO * ACCUMULATE * data.ROW))
    half = f'{out}.half.pt'
    for name in runs.split(','):
        layout, first = LAYOUTS[name], steps // 2 if name == 'converted' else 0
        if time.time() > end:
            break
        torch.manual_seed(0)
        config = replace(Config(), layer_types=layout, num_hidden_layers=len(layout.split('_')), **SHAPES.get(name, {}))
        model, rows = LCKV(config).cuda(), Rows(rows_dir)
        if first:
            while not os.path.exists(half):
                time.sleep(1)
            model.load_state_dict(converted(torch.load(half, weights_only=True), config))
            for _ in range(first * ACCUMULATE):
                rows.next(MICRO)
        model.compile()
        took = train(model, rows, steps, first, (steps // 2, half) if name == 'standard' else None)
        plain = LCKV(config).cuda()                          # not compiled: windows and prompts have many lengths
        plain.load_state_dict(model.state_dict())
        with torch.no_grad():
            bits = bits_per_byte(found, nats(plain.eval(), found), bytes_of)['all']['bits_per_byte']
            exact = lines_exact(plain, prompts, lines)
        kept = len(set(config.sources()))
        line = json.dumps(dict(run=name, layout=layout, m_ids=round(steps * MICRO * ACCUMULATE * data.ROW / 1e6, 1), first_step=first, steps=steps,
                               seconds=round(took, 1), kv_bytes=kept * 2 * config.num_key_value_heads * config.head_dim * 2,
                               bits_per_byte=bits, lines_exact=exact))
        print(line, flush=True)
        with open(out, 'a') as f:
            f.write(line + '\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
