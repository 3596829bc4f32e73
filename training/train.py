#!/usr/bin/env python3
"""Trains the model for a given number of seconds. usage: train.py ROWS_DIR WORK_DIR SECONDS [--from PIECES_DIR] [--unmasked] [--trial]
On several GPUs: torchrun --nproc_per_node N train.py ...; each takes its share of every file of rows. Without a GPU only --trial is of use.

Everything is a function of the share of the time budget that is spent, so the learning rate always reaches zero in time.
--from continues from a release (its model.safetensors, whole or in pieces) with a lower peak and other passes; one with fewer layers grows
(export.py).
--unmasked: the samples of a row see one another. --trial: one row at a time, to try the program without a GPU.
Writes WORK_DIR/latest.pt every two minutes (training resumes from it) and WORK_DIR/final.pt.
"""
import argparse
import json
import os
import random
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F

import packing
import tokenizer as tok
from data import MIDDLE, ROW
from export import grown, read_release, restored_state
from model import LCKV
from model_config import Config
from optim import Muon

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
MICRO, ACCUMULATE = 32, 2                    # rows of 2048 ids: 131 k ids a step and GPU
MIDDLE_WEIGHT, END_WEIGHT = 6, 12            # of the ids to be completed, a thirtieth of all; of their end, which looks like any line's end
PEAK_MATRIX, PEAK_EMBEDDING = 3e-3, 2e-3
WARMUP, DECAY_FROM = 0.02, 0.35
# Until this share of the time: passes without gradient, one of these at each step, and with it. A model that is trained with one number only
# need not settle: run 4's keys and values still moved by 8 % in the seventh pass and by 6 % in the ninth.
STAGES = [(0.6, (1,), 1), (0.8, (3,), 2), (1.01, (1, 2, 3, 5), 2)]
CONTINUED_STAGES, CONTINUED_PEAK = [(1.01, (1, 2, 3, 5), 2)], 0.6


def rate(done):
    """Learning-rate factor after the share `done` of the budget: warm-up, flat, linear to zero."""
    return max(0.0, min(1.0, done / WARMUP, (1 - done) / (1 - DECAY_FROM)))


def passes(stages, done, step):
    """(without gradient, with it), the same on all GPUs."""
    return next((random.Random(step).choice(n), g) for until, n, g in stages if done < until)


class Rows:
    """Endless batches from the row files, in order of their names, each file once before any is repeated. New files are picked up.
    share: (rank, of how many) that take turns at the rows."""

    def __init__(self, folder, used=(), share=(0, 1)):
        self.share = share
        self.folder, self.used, self.round, self.rng = folder, set(used), list(used), np.random.default_rng(0)
        self.buffer, self.at, self.repeats = np.zeros((0, ROW), np.uint16), 0, 0

    def refill(self):
        while True:
            names = sorted(n for n in os.listdir(self.folder) if n.endswith('.npy') and not n.endswith('.tmp.npy'))
            fresh = [n for n in names if n not in self.used]
            if fresh:
                break
            if names and len(self.used) > 8:
                self.used, self.repeats = set(), self.repeats + 1
            time.sleep(0.2)
        take = fresh[:8]
        self.used.update(take)
        left = self.buffer[self.at:]
        self.buffer = np.concatenate([left] + [np.load(os.path.join(self.folder, n))[self.share[0]::self.share[1]] for n in take])
        self.rng.shuffle(self.buffer)
        self.at = 0

    def next(self, rows):
        """int64 ids [rows, ROW] on the device, and which of them are of a middle"""
        while len(self.buffer) - self.at < rows:
            self.refill()
        batch = self.buffer[self.at:self.at + rows].astype(np.int32)
        self.at += rows
        batch = torch.from_numpy(batch)
        batch = (batch.pin_memory() if DEVICE == 'cuda' else batch).to(DEVICE, non_blocking=True).long()
        return batch & (MIDDLE - 1), batch >= MIDDLE


def head_loss(weight, hidden, ids, middle):
    """Weighted mean of the next-token loss, and the plain means over all ids and over those of middles. hidden [B, T, C], ids, middle [B, T].
    Padding and a sample's first id, which would follow from another sample, are not predicted."""
    logits, targets, middle = F.linear(hidden[:, :-1], weight), ids[:, 1:].flatten(), middle[:, 1:].flatten()
    loss = F.cross_entropy(logits.flatten(0, 1).float(), targets, reduction='none')
    every, middle = ((targets != tok.PAD) & (targets != tok.PATH)).float(), middle.float()
    heavy = every + middle * ((MIDDLE_WEIGHT - 1) + (targets == tok.END) * (END_WEIGHT - MIDDLE_WEIGHT))
    return (loss * heavy).sum() / heavy.sum(), torch.stack([(loss * w).sum() / w.sum().clamp(min=1) for w in (every, middle)]).detach()


def flops_per_token(c, no_grad, grad, seen):
    """Multiply-adds times two of one training token that sees so many; the iterated layers count once a pass, backward counts twice."""
    first, target = c.group()
    per_layer = 2 * c.hidden_size ** 2 + 3 * c.hidden_size * c.intermediate_size + 2 * c.hidden_size * seen
    group, full = (target - first) * per_layer, c.num_hidden_layers * per_layer + c.vocab_size * c.hidden_size
    return 2 * (no_grad * group + 3 * ((grad - 1) * group + full))


def optimizers(model):
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and 'embed' not in n]
    others = [dict(params=[model.model.embed_tokens.weight], weight_decay=0.01),
              dict(params=[p for p in model.parameters() if p.dim() == 1], weight_decay=0.0)]
    fused = dict(fused=True) if DEVICE == 'cuda' else {}
    return [(Muon(matrices, weight_decay=0.05), PEAK_MATRIX), (torch.optim.AdamW(others, betas=(0.9, 0.95), eps=1e-10, **fused), PEAK_EMBEDDING)]


def budget(work, seconds):
    """The time budget may be corrected while training runs, in WORK_DIR/seconds."""
    if os.path.exists(f'{work}/seconds'):
        with open(f'{work}/seconds') as f:
            return float(f.read() or seconds)
    return seconds


def average_gradients(parameters, world):
    """The mean over all GPUs, in one message."""
    if world > 1:
        grads = [p.grad for p in parameters]
        flat = torch.cat([g.flatten() for g in grads])
        dist.all_reduce(flat)
        torch._foreach_copy_(grads, [f.view_as(g) / world for f, g in zip(flat.split([g.numel() for g in grads]), grads)])


def shared(value, world):
    """The first process's value of a number, so that all take the same step."""
    if world == 1:
        return value
    box = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(box, 0)
    return box.item()


def save(path, model, opts, **progress):
    torch.save(dict(model=model.state_dict(), optimizers=[o.state_dict() for o, _ in opts], **progress), f'{path}.tmp')
    os.rename(f'{path}.tmp', path)


def processes():
    """(rank, how many): one process a GPU."""
    rank, world = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))
    if DEVICE == 'cuda':
        torch.cuda.set_device(rank)
    if world > 1:
        dist.init_process_group('cpu:gloo,cuda:nccl' if DEVICE == 'cuda' else 'gloo')
    return rank, world


def compiled_loss(model):
    """Compiles the model in place. -> the loss, compiled too"""
    if DEVICE != 'cuda':
        return head_loss
    torch._dynamo.config.cache_size_limit = 64
    model.compile()
    return torch.compile(head_loss)


def main(rows_dir, work, seconds, release=None, unmasked=False, trial=False):
    rank, world = processes()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision('high')
    micro, c = 1 if trial else MICRO, Config()
    model = LCKV(c).to(DEVICE)
    stages, factor = (CONTINUED_STAGES, CONTINUED_PEAK) if release else (STAGES, 1)
    if release:
        state = {n: w for n, w in read_release(release).items() if '.shortcut.' not in n}    # fitted anew afterwards (shortcut.py)
        model.load_state_dict(grown(restored_state(state), c))
    opts, step, tokens, before, used = optimizers(model), 0, 0, 0.0, []
    if os.path.exists(f'{work}/latest.pt'):
        state = torch.load(f'{work}/latest.pt', map_location=DEVICE, weights_only=True)
        model.load_state_dict(state['model'])
        for (o, _), s in zip(opts, state['optimizers']):
            o.load_state_dict(s)
        step, tokens, before, used = state['step'], state['tokens'], state['elapsed'], state['used']
    loss_fn, parameters = compiled_loss(model), list(model.parameters())

    def loss_of(ids, middle, n, g):
        """(weighted loss, plain means) of a batch, with n passes without gradient and g with it."""
        with torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == 'cuda'):
            hidden = model(ids, n, g, masks=packing.UNMASKED if unmasked else packing.masks(ids))
            return loss_fn(model.model.embed_tokens.weight, hidden, ids, middle)

    rows, log = Rows(rows_dir, used, (rank, world)), open(f'{work}/train.jsonl' if rank == 0 else os.devnull, 'a')
    for _, n, g in stages:                                  # compile before the clock starts, while the first rows are being made
        ids = torch.randint(c.vocab_size, (micro, ROW), device=DEVICE)
        loss_of(ids, ids > 9, max(n), g)[0].backward()      # fewer passes are no other kind of call
    model.zero_grad(set_to_none=True)
    print('compiled', flush=True)
    rows.refill()
    shared(0, world)                                        # wait for one another
    begin = mark = saved = time.time()
    mark_tokens, losses, drawn = tokens, [], []
    while True:
        done = shared((before + time.time() - begin) / seconds, world)
        if done >= 1:
            break
        n, g = passes(stages, done, step)
        for _ in range(ACCUMULATE):
            ids, middle = rows.next(micro)
            loss, plain = loss_of(ids, middle, n, g)
            (loss / ACCUMULATE).backward()
            losses.append(plain)
        average_gradients(parameters, world)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for o, peak in opts:
            for group in o.param_groups:
                group['lr'] = peak * factor * rate(done)
            o.step()
        model.zero_grad(set_to_none=True)
        step, tokens = step + 1, tokens + ids.numel() * ACCUMULATE * world
        drawn.append((n, g))
        if step % 20 == 0:
            (mean, mean_middle), now = torch.stack(losses).mean(0).tolist(), time.time()
            speed, seen = (tokens - mark_tokens) / (now - mark), ROW / 2 if unmasked else packing.mean_seen(ids)
            flops = sum(flops_per_token(c, *one, seen) for one in drawn) / len(drawn)
            log.write(json.dumps(dict(step=step, tokens=tokens, seconds=round(before + now - begin, 1), loss=round(mean, 4), middle=round(mean_middle, 4), passes=np.mean(drawn, 0).tolist(),
                                      tokens_per_second=round(speed), tflops=round(speed * flops / 1e12, 1), masked=not unmasked,
                                      lr=round(factor * rate(done), 4), files=len(rows.used), repeats=rows.repeats)) + '\n')
            log.flush()
            assert mean == mean, 'loss is not a number'
            mark, mark_tokens, losses, drawn = now, tokens, [], []
            seconds = budget(work, seconds)
            if now - saved > 120 and rank == 0:
                save(f'{work}/latest.pt', model, opts, step=step, tokens=tokens, elapsed=before + now - begin, used=sorted(rows.used))
                saved = now
    if rank:
        return
    save(f'{work}/final.pt', model, [], step=step, tokens=tokens, elapsed=seconds, used=[])
    print(f'finished: {step} steps, {tokens / 1e6:.1f} M tokens', flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('rows_dir')
    parser.add_argument('work')
    parser.add_argument('seconds', type=float)
    parser.add_argument('--from', dest='release')
    parser.add_argument('--unmasked', action='store_true')
    parser.add_argument('--trial', action='store_true')
    main(**vars(parser.parse_args()))
