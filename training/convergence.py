"""How fast iterated prefill of a trained model converges: the shared keys and values, and the greedy ids, by number of passes; and how many
rows each pass is for if those that have settled leave."""
import torch

from model import rope_table
from packing import UNMASKED

EXACT = 40                 # passes after which nothing moves but rounding


def state(model, ids, passes):
    """ids [B, T] -> (shared keys and values as one float tensor [2, B, G, T, D], greedy ids [B, T])."""
    hidden, own = model.run(ids, passes - 1, 1)
    target = model.c.group()[1]
    return torch.stack(own[target]).float(), model.logits(hidden).argmax(-1)


def convergence(model, batches, most=12):
    """batches: id tensors [B, T], without padding. -> {passes: (relative error of the keys and values, share of equal greedy ids)}."""
    error, norm, equal, count = [0.0] * (most + 1), 0.0, [0] * (most + 1), 0
    with torch.no_grad():
        for ids in batches:
            kv, picked = state(model, ids, EXACT)
            norm, count = norm + kv.square().sum().item(), count + ids.numel()
            for n in range(1, most + 1):
                other, choice = state(model, ids, n)
                error[n] += (other - kv).square().sum().item()
                equal[n] += (choice == picked).sum().item()
    return {n: (round((error[n] / norm) ** 0.5, 5), round(equal[n] / count, 5)) for n in range(1, most + 1)}


def change(before, after):
    """Squared change of each row's keys and values, relative to their squares, as the engine sees it: two pairs of [B, G, T, D] -> [B, T]."""
    moved, size = (sum(t.float().square().sum((1, 3)) for t in pair) for pair in ([a - b for a, b in zip(after, before)], after))
    return moved / size


def leave(model, ids, tolerance, leading, most):
    """Prefill of ids [1, T] that rows leave once a pass changes their keys and values no more than the tolerance, the first n after n passes in
    any case. leading: only with all rows before them. -> (greedy ids [T], for each pass how many rows it is for)."""
    (first, target), layers, rope, own = model.c.group(), model.model.layers, rope_table(model.c, ids.shape[1], ids.device), {}
    start = model.stack(range(first), model.model.embed_tokens(ids), rope, UNMASKED, own)
    kv, hidden, rows = model.first_kv(start, rope), start, []
    active = torch.ones_like(ids[0], dtype=torch.bool)
    while len(rows) < most and active.any():
        rows.append(int(active.sum()))
        h, new = model.group_kv(start, rope, UNMASKED, kv)
        before = kv or [torch.zeros_like(t) for t in new]
        hidden, kv = torch.where(active[:, None], h, hidden), tuple(torch.where(active[:, None], a, b) for a, b in zip(new, before))
        settled = ~active | (change(before, kv)[0] <= tolerance ** 2)
        settled[:len(rows)] = True
        active = ~(settled.cumprod(0).bool() if leading else settled)
    own[target] = kv
    hidden = layers[target](hidden, rope, kv, False)
    hidden = model.stack(range(target + 1, len(layers)), hidden, rope, UNMASKED, own)
    return model.logits(model.model.norm(hidden)).argmax(-1)[0], rows


def leaving(model, batches, tolerances, most=8):
    """batches: id tensors [1, T]. -> for each tolerance, with leading rows leaving and with any: share of equal greedy ids, share of the rows that
    each pass is for, and their sum, which is how many whole passes that makes."""
    out, count = [], sum(ids.numel() for ids in batches)
    with torch.no_grad():
        exact = [state(model, ids, EXACT)[1][0] for ids in batches]
        for leading, tolerance in ((leading, tolerance) for leading in (True, False) for tolerance in tolerances):
            equal, rows = 0, [0] * most
            for ids, picked in zip(batches, exact):
                found, used = leave(model, ids, tolerance, leading, most)
                equal, rows = equal + (found == picked).sum().item(), [a + b for a, b in zip(rows, used + [0] * most)]
            out.append(dict(tolerance=tolerance, leading=leading, equal=round(equal / count, 5), passes=round(sum(rows) / count, 2),
                            rows=[round(n / count, 3) for n in rows]))
    return out
