#!/usr/bin/env python3
"""Fits the shortcut of a release: a matrix with which prefill guesses the shared keys and values before the first pass.

usage: shortcut.py fit RELEASE SHARD.jsonl.xz PASSES [SAMPLES]      needs PyTorch, no GPU; minutes on two cores
       shortcut.py measure RELEASE HELDOUT.jsonl.xz [SAMPLES]
The iterated layers first..target turn their input into what the target layer reads. model.layers.TARGET.shortcut.weight [C, C] maps the normed
input of layer `first` to about that, by least squares over samples as the model is trained with, where keys and values have converged. It is
as long as what it stands for after RMSNorm, which is all that the target's keys and values depend on. `fit` puts it into the release and says there
that prefill takes PASSES in all. `measure` compares the passes from zeros and from the guess (convergence.py).
"""
import json
import os
import random
import sys
from dataclasses import replace

import torch

import data
import tokenizer as tok
from convergence import convergence
from export import quantised_state, read_release, restored_state
from model import LCKV, rope_table
from model_config import Config, config_json
from packing import UNMASKED

BRIEF = 0.4          # share of samples with little text around the cursor
LONGEST = 1024       # ids
RIDGE = 1e-4         # of the features' mean square
PASSES = 16          # after which keys and values have converged


def draw(shard, folder, count, seed, shortest=32):
    """`count` samples in the editor's format of `shortest` to LONGEST ids: id tensors [1, T]."""
    rng, tokenizer = random.Random(seed), tok.load(f'{folder}/tokenizer.json')
    neighbours = data.Neighbours(data.load_docs(shard))
    order = rng.sample(range(len(neighbours.docs)), min(count, len(neighbours.docs)))
    found = [s for s in data.samples(neighbours, order, tokenizer, rng, BRIEF) if shortest <= len(s) <= LONGEST]
    return [torch.tensor([[i & (data.MIDDLE - 1) for i in s]]) for s in rng.sample(found, min(count, len(found)))]


def load(folder, config):
    """The model of a release, with or without its shortcut."""
    model = LCKV(config).eval().requires_grad_(False)
    state = restored_state(read_release(folder))
    model.load_state_dict({n: w for n, w in state.items() if config.lckv_shortcut or '.shortcut.' not in n})
    return model


def states(model, ids):
    """ids [1, T] -> (normed input of the group, converged input of its target over its root mean square), each [T, C]."""
    (first, _), layers, rope = model.c.group(), model.model.layers, rope_table(model.c, ids.shape[1], ids.device)
    start = model.stack(range(first), model.model.embed_tokens(ids), rope, UNMASKED, {})
    h, _ = model.iterate(start, rope, UNMASKED, PASSES - 1, 1, None)
    return layers[first].input_layernorm(start)[0], (h * h.square().mean(-1, keepdim=True).rsqrt())[0]


def solve(model, batches):
    """The matrix [C, C] of least squares, x ~ matrix @ normed."""
    square, product, count = 0, 0, 0
    for n, ids in enumerate(batches, 1):
        normed, x = (t.double() for t in states(model, ids))
        square, product, count = square + normed.T @ normed, product + normed.T @ x, count + len(x)
        if n % 50 == 0:
            print(f'{n} samples, {count} ids', flush=True)
    ridge = RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype, device=square.device)
    return torch.linalg.solve(square + ridge, product).T.float()


def fit(folder, shard, passes, samples='500'):
    from safetensors.torch import save_file
    config = Config.of(folder)
    model = load(folder, replace(config, lckv_shortcut=False))
    matrix = solve(model, draw(shard, folder, int(samples), 11))
    tensors = {n: w for n, w in read_release(folder).items() if '.shortcut.' not in n}
    tensors |= quantised_state({f'model.layers.{config.group()[1]}.shortcut.weight': matrix})
    save_file({n: t.contiguous() for n, t in tensors.items()}, f'{folder}/model.safetensors.new', metadata={'format': 'pt'})
    os.replace(f'{folder}/model.safetensors.new', f'{folder}/model.safetensors')
    forward = int(passes) - config.backward_passes
    with open(f'{folder}/config.json', 'w') as f:
        f.write(config_json(replace(config, lckv_shortcut=True, forward_passes=forward)))


def measure(folder, heldout, samples='100'):
    config, batches = Config.of(folder), draw(heldout, folder, int(samples), 12)
    print(f'{len(batches)} samples, {sum(b.numel() for b in batches)} ids')
    for shortcut in [False, True] if config.lckv_shortcut else [False]:
        found = convergence(load(folder, replace(config, lckv_shortcut=shortcut)), batches, 8)
        print(json.dumps(dict(shortcut=shortcut, passes=found)), flush=True)


if __name__ == '__main__':
    {'fit': fit, 'measure': measure}[sys.argv[1]](*sys.argv[2:])
