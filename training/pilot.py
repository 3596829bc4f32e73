#!/usr/bin/env python3
"""Short equal runs of several layouts from scratch: same rows, order, seed and steps. Shows what condensing costs.

usage: pilot.py ROWS_DIR HELDOUT.jsonl.xz TOKENIZER OUT.jsonl M_IDS SECONDS
Prints and writes one JSON line a run: held-out bits per byte, seconds of training, bytes of keys and values a token (bf16) and, for LCKV,
bits per byte, error of the keys and values and share of equal greedy ids by passes. No run begins after SECONDS.
"""
import json
import random
import sys
import time
from dataclasses import replace

import torch

import data
import tokenizer as tok
from convergence import convergence
from evaluate import bits_per_byte, nats, windows
from model import LCKV
from model_config import Config
from train import ACCUMULATE, MICRO, Rows, head_loss, optimizers, rate

STAGES = [(0.6, 1, 1), (1.01, 5, 2)]         # until this share of the steps: passes without and with gradient
STANDARD = '0_1_2_3_4_5_6_7_8_9_10_11'
MIDDLE = '0_5_5_5_5_5_5_5_5_5_5_11'
PAPER = '0_10_10_10_10_10_10_10_10_10_10_11'
WINDOWS = 160


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
    """Trains from step `first` to `steps`; keep: (step, dict) is given the weights of that step. -> (model, seconds)"""
    opts, loss_fn = optimizers(model), torch.compile(head_loss)
    begin = None
    for step in range(first, steps):
        done = step / steps
        n, g = passes(model.c, done)
        for _ in range(ACCUMULATE):
            ids = rows.next(MICRO)
            with torch.autocast('cuda', torch.bfloat16):
                loss = loss_fn(model.model.embed_tokens.weight, model(ids, n, g), ids) / ACCUMULATE
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
            keep[1].update({k: w.detach().clone() for k, w in model.state_dict().items()})
    torch.cuda.synchronize()
    return time.time() - begin


def figures(model, found, bytes_of):
    """Held-out figures of a trained model."""
    def bits(windows, **how):
        return bits_per_byte(windows, nats(model, windows, **how), bytes_of)['all']['bits_per_byte']
    if not model.c.group():
        return dict(bits_per_byte=bits(found))
    full = [torch.tensor([ids], device='cuda') for _, ids, _ in found if len(ids) == data.ROW][:24]
    few = found[:48]
    by_passes = {n: bits(few, no_grad_passes=n - 1, grad_passes=1) for n in range(1, 13)}
    return dict(bits_per_byte=bits(found), by_passes=by_passes, convergence=convergence(model, full))


def main(rows_dir, heldout, tokenizer_path, out, m_ids, seconds):
    end = time.time() + float(seconds)
    torch.set_float32_matmul_precision('high')
    torch._dynamo.config.cache_size_limit = 64
    tokenizer, docs = tok.load(tokenizer_path), data.load_docs(heldout)
    random.Random(3).shuffle(docs)
    names = [tokenizer.id_to_token(i) for i in range(tok.VOCABULARY)]
    bytes_of = [0 if n in tok.SPECIALS else len(n) for n in names]
    found = windows(docs, tokenizer, 300_000)
    found = random.Random(5).sample(found, min(len(found), WINDOWS))
    steps = round(float(m_ids) * 1e6 / (MICRO * ACCUMULATE * data.ROW))
    half = {}
    for name, layout, first in (('standard', STANDARD, 0), ('middle', MIDDLE, 0), ('converted', MIDDLE, steps // 2), ('paper', PAPER, 0)):
        if time.time() > end:
            break
        torch.manual_seed(0)
        config = replace(Config(), layer_types=layout)
        model, rows = LCKV(config).cuda(), Rows(rows_dir)
        if first:
            model.load_state_dict(converted(half, config))
            for _ in range(first * ACCUMULATE):
                rows.next(MICRO)
        model.compile()
        took = train(model, rows, steps, first, (steps // 2, half) if name == 'standard' else None)
        with torch.no_grad():
            result = figures(model.eval(), found, bytes_of)
        kept = len(set(config.sources()))
        line = json.dumps(dict(run=name, layout=layout, m_ids=round(steps * MICRO * ACCUMULATE * data.ROW / 1e6, 1), first_step=first, steps=steps,
                               seconds=round(took, 1), kv_bytes=kept * 2 * config.num_key_value_heads * config.head_dim * 2, **result))
        print(line, flush=True)
        with open(out, 'a') as f:
            f.write(line + '\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
