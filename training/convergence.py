"""How fast iterated prefill of a trained model converges, plain and averaged: the shared keys and values, and the greedy ids, by number of passes.

All are compared with 64 averaged passes, as these settle, and what settles is exact: after n plain passes the first n ids are, so only one result
stays as it is in a further pass, that of reading the ids one by one. Plain passes go to and fro around it and need not be near it in forty. How much
two averaged ones more still move shows whether 64 had settled.
"""
import torch

from model import UNAVERAGED, prefill

EXACT = 64                 # averaged passes that stand for the exact result
PASSES = range(1, 13)
# (passes, whether they are averaged); up to four are the same either way
RUNS = [(n, averages) for averages in (False, True) for n in PASSES if n > UNAVERAGED or not averages]


def state(model, ids, passes, averages):
    """ids [B, T] -> (shared keys and values as one float tensor [2, B, G, T, D], greedy ids [B, T])."""
    hidden, own = model.run(ids, **prefill(passes, averages))
    target = model.c.group()[1]
    return torch.stack(own[target]).float(), model.logits(hidden).argmax(-1)


def convergence(model, batches):
    """batches: id tensors [B, T], without padding. -> {run: (relative error of the keys and values, share of equal greedy ids)} of RUNS and of
    two averaged passes more than EXACT."""
    runs, norm, count = [*RUNS, (EXACT + 2, True)], 0.0, 0
    error, equal = dict.fromkeys(runs, 0.0), dict.fromkeys(runs, 0)
    with torch.no_grad():
        for ids in batches:
            kv, picked = state(model, ids, EXACT, True)
            norm, count = norm + kv.square().sum().item(), count + ids.numel()
            for run in runs:
                other, choice = state(model, ids, *run)
                error[run] += (other - kv).square().sum().item()
                equal[run] += (choice == picked).sum().item()
    return {run: (round((error[run] / norm) ** 0.5, 5), round(equal[run] / count, 5)) for run in runs}
