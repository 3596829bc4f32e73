#!/usr/bin/env python3
"""Short equal runs of several layouts from scratch: same rows, order, seed and steps. Shows what condensing costs.

usage: pilot.py ROWS_DIR HELDOUT.jsonl.xz TOKENIZER OUT.jsonl M_IDS SECONDS [RUN,... [RELEASE]]     RUN: one of LAYOUTS
Prints and writes a JSON line a run: held-out bits per byte, share of the lines completed exactly, seconds of training, bytes of keys and
values a token (bf16). No run begins after SECONDS. `converted` goes on from what `standard` leaves half-way in OUT.jsonl.half.pt, and waits for it.
With RELEASE, a folder, a second line tells how fast the passes of the int8 weights converge, from zeros and from the shortcut, which is trained
along or else fitted, and how many rows they are for if those that have settled leave. The run nearest to its end after three passes is left there.
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
from convergence import change
from evaluate import LINE_IDS, bits_per_byte, complete, nats, windows
from model import LCKV
from model_config import Config
from settle import passes_needed, with_shortcut, write_release
from shortcut import draw
from train import ACCUMULATE, DEVICE, MICRO, STAGES, Rows, compiled_loss, optimizers, passes, rate

MIDDLE, PAPER = '0_5_5_5_5_5_5_5_5_5_5_11', '0_10_10_10_10_10_10_10_10_10_10_11'
LAYOUTS = {
    'standard': '0_1_2_3_4_5_6_7_8_9_10_11', 'middle': MIDDLE, 'converted': MIDDLE, 'paper': PAPER,
    'paper-still': PAPER, 'paper-guess': PAPER,                                            # trained to converge fast: STILL, GUESS
    'lower': '0_3_3_3_3_3_3_3_3_3_3_11', 'higher': '0_8_8_8_8_8_8_8_8_8_8_11',             # where the target sits
    'two': '5_5_5_5_5_5_5_5_5_5_5_11', 'four': '0_1_5_5_5_5_5_5_5_5_5_11',                 # how many keep keys/values
    'wide': '0_3_3_3_3_3_3_7', 'deep': '0_9_9_9_9_9_9_9_9_9_9_9_9_9_9_9_9_9_9_19',         # about the same work a token
}
CHANGES = {
    'paper-guess': dict(lckv_shortcut=True),
    'wide': dict(hidden_size=640, intermediate_size=1920, num_attention_heads=10, num_key_value_heads=5),
    'deep': dict(hidden_size=384, intermediate_size=1152, num_attention_heads=6, num_key_value_heads=3),
}
STILL = {'paper-still': 30, 'paper-guess': 5}          # weight of how much the last pass still changes
GUESS = 0.1                                            # of how far the shortcut is from the last pass
WINDOWS = 160
LINES = 0.2                # share of the line cases
SAMPLES, SHORTEST = 32, 256                            # for convergence: how many, ids of the shortest


def unrest(trace, grad, still):
    """What the loss gets for passes that have not settled, which costs no further pass. trace: shared keys/values (model.py), pairs of [B, G, T, D].
    The last pass is compared with the one before where both have a gradient: the later one has to change less, the earlier one to get nearer. As a
    logarithm, and from the first of STAGES on, nothing changed any more and less was learnt (tried at width 64). The guess has to come to the end,
    not the end to the guess; but through it the first layers and the target's matrices learn to be guessed."""
    end = [t.detach() for t in trace[-1]]
    loss = GUESS * change(trace[0], end).mean() if trace[0] else 0
    return loss + still * change(*trace[-2:]).mean() if grad > 1 else loss


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


def now():
    """Seconds, once the GPU has done all that it was given."""
    if DEVICE == 'cuda':
        torch.cuda.synchronize()
    return time.time()


def train(model, rows, steps, still=0, first=0, keep=None):
    """Trains from step `first` to `steps`; still: weight for `unrest`; keep: (step, path) for the weights after that many steps.
    -> seconds"""
    opts, loss_fn = optimizers(model), compiled_loss(model)
    begin = None
    for step in range(first, steps):
        done = step / steps
        n, g = passes(STAGES, done, step) if model.c.group() else (0, 1)
        for _ in range(ACCUMULATE):
            (ids, _), trace = rows.next(MICRO), []
            with torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == 'cuda'):
                hidden = model(ids, n, g, masks=packing.masks(ids), trace=trace)
                loss = loss_fn(model.model.embed_tokens.weight, hidden, ids, torch.zeros_like(ids, dtype=torch.bool))[0]
            if still:
                loss = loss + unrest(trace, g, still)
            (loss / ACCUMULATE).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o, peak in opts:
            for group in o.param_groups:
                group['lr'] = peak * min(rate(done), (step - first + 1) / 10)
            o.step()
        model.zero_grad(set_to_none=True)
        if step == first + 4:                                # compiled by now
            begin = now()
        if step % 100 == 99:
            print(f'step {step + 1} of {steps}: {now() - begin:.0f} s, loss {loss.item():.3f}', flush=True)
        if keep and step + 1 == keep[0]:
            torch.save(model.state_dict(), f'{keep[1]}.tmp')
            os.rename(f'{keep[1]}.tmp', keep[1])
    return now() - begin


def lines_exact(model, prompts, lines):
    answers = complete(model, prompts, lines, LINE_IDS, snippets=False)
    return round(sum(a['completion'].split('\n')[0].rstrip() == a['expected'].rstrip() for a in answers) / len(answers), 4)


def write(out, **figures):
    line = json.dumps(figures)
    print(line, flush=True)
    with open(out, 'a') as f:
        f.write(line + '\n')


def main(rows_dir, heldout, tokenizer_path, out, m_ids, seconds, runs='standard,middle,converted,paper', release=None):
    end, best = time.time() + float(seconds), -1
    torch.set_float32_matmul_precision('high')
    tokenizer, docs = tok.load(tokenizer_path), cases.documents(heldout)
    prompts, lines = cases.Prompts(tokenizer), [c for c in cases.make(docs, LINES) if c['kind'] == 'line']
    random.Random(3).shuffle(docs)
    names = [tokenizer.id_to_token(i) for i in range(tok.VOCABULARY)]
    bytes_of = [0 if n in tok.SPECIALS else len(n) for n in names]
    found = windows(docs, tokenizer, 300_000)
    found = random.Random(5).sample(found, min(len(found), WINDOWS))
    steps = round(float(m_ids) * 1e6 / (MICRO * ACCUMULATE * data.ROW))
    batches = [ids.to(DEVICE) for ids in draw(heldout, os.path.dirname(tokenizer_path), SAMPLES, 12, SHORTEST)] if release else []
    half = f'{out}.half.pt'
    for name in runs.split(','):
        layout, first = LAYOUTS[name], steps // 2 if name == 'converted' else 0
        if time.time() > end:
            break
        torch.manual_seed(0)
        config = replace(Config(), layer_types=layout, num_hidden_layers=len(layout.split('_')), **CHANGES.get(name, {}))
        model, rows = LCKV(config).to(DEVICE), Rows(rows_dir)
        if first:
            while not os.path.exists(half):
                time.sleep(1)
            model.load_state_dict(converted(torch.load(half, weights_only=True), config))
            for _ in range(first * ACCUMULATE):
                rows.next(MICRO)
        took = train(model, rows, steps, STILL.get(name, 0), first, (steps // 2, half) if name == 'standard' else None)
        plain = LCKV(config).to(DEVICE)                      # not compiled: windows and prompts have many lengths
        plain.load_state_dict(model.state_dict())
        with torch.no_grad():
            bits = bits_per_byte(found, nats(plain.eval(), found), bytes_of)['all']['bits_per_byte']
            exact = lines_exact(plain, prompts, lines)
        kept = len(set(config.sources()))
        write(out, run=name, layout=layout, m_ids=round(steps * MICRO * ACCUMULATE * data.ROW / 1e6, 1), first_step=first, steps=steps,
              seconds=round(took, 1), kv_bytes=kept * 2 * config.num_key_value_heads * config.head_dim * 2, bits_per_byte=bits, lines_exact=exact)
        if release and config.group():
            torch.set_float32_matmul_precision('highest')
            state = with_shortcut(plain, rows)
            needed = passes_needed(config, state, batches)
            torch.set_float32_matmul_precision('high')
            write(out, run=name, samples=len(batches), ids=sum(ids.numel() for ids in batches), **needed)
            equal = needed['guess'][3][1]
            if equal > best:
                best = equal
                write_release(config, state, needed, release)


if __name__ == '__main__':
    main(*sys.argv[1:])
