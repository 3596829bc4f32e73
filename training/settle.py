"""How many passes a freshly trained model needs, measured on the weights as they are released, and its release (pilot.py)."""
import os
from dataclasses import replace

import torch

import tokenizer as tok
from convergence import convergence, leaving
from export import quantised_state, restored_state, write_pieces
from model import LCKV
from model_config import config_json
from shortcut import LONGEST, solve

FITTED, BRIEFEST = 400, 128                            # samples that the shortcut is fitted on, ids of the shortest
TOLERANCES = 0.003, 0.01, 0.02, 0.03, 0.05, 0.1
MOST = 8                                               # passes
EQUAL = 0.99                                           # share of the greedy ids that those of exact prefill must be


def single(rows, count):
    """`count` samples of packed rows (train.py): [1, T] each."""
    found = []
    while len(found) < count:
        row = rows.next(1)[0][0]
        row = row[row != tok.PAD]
        starts = (row == tok.PATH).nonzero().flatten().cpu()
        found += [s[None] for s in row.tensor_split(starts) if BRIEFEST <= len(s) <= LONGEST]
    return found[:count]


def with_shortcut(model, rows):
    """Weights of the model with its shortcut, fitted on rows if it has none."""
    state, name = model.state_dict(), f'model.layers.{model.c.group()[1]}.shortcut.weight'
    return state if name in state else state | {name: solve(model.requires_grad_(False), single(rows, FITTED))}


def passes_needed(config, state, batches):
    """state: weights with the shortcut; batches: ids [1, T]. -> {'zeros', 'guess': convergence from there, 'leaving': figures from the guess}"""
    found, weights, device = {}, restored_state(quantised_state(state)), batches[0].device
    for start, guess in ('zeros', False), ('guess', True):
        model = LCKV(replace(config, lckv_shortcut=guess)).to(device).eval().requires_grad_(False)
        model.load_state_dict({n: w for n, w in weights.items() if guess or '.shortcut.' not in n})
        found[start] = convergence(model, batches, MOST)
    return found | dict(leaving=leaving(model, batches, TOLERANCES, MOST))


def write_release(config, state, found, folder):
    """Weights in pieces and config.json, which says how many passes from the guess are enough (found: of passes_needed)."""
    os.makedirs(folder, exist_ok=True)
    write_pieces(state, folder)
    passes = next((n for n, (_, equal) in found['guess'].items() if equal >= EQUAL and n >= config.backward_passes), MOST)
    with open(f'{folder}/config.json', 'w') as f:
        f.write(config_json(replace(config, lckv_shortcut=True, forward_passes=passes - config.backward_passes)))
