"""How fast iterated prefill of a trained model converges: the shared keys and values, and the greedy ids, by number of passes."""
import torch

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
