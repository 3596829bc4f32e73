"""Samples that are packed into one row, kept apart: none sees another. Each begins with `<|path|>`; padding belongs to the last one."""
import torch
import torch.nn.functional as F
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

import tokenizer as tok

UNMASKED = (None, None)
compiled_block_mask = torch.compile(create_block_mask)     # uncompiled it would hold T x T numbers a row


def samples(ids):
    """ids [B, T] -> int32 [B, T]: the number of the sample that each id belongs to."""
    return (ids == tok.PATH).cumsum(1, dtype=torch.int32)


def visible(sample, strict):
    """What a query sees: the ids of its own sample up to itself, or before itself if strict. A mask function of flex_attention."""
    def mask(row, head, query, key):
        same = sample[row, query] == sample[row, key]
        return same & (key < query) if strict else same & (key <= query)
    return mask


def masks(ids):
    """For rows of ids [B, T] the masks (not strict, strict) of `attend`: block masks on a GPU, bool [B, 1, T, T] elsewhere."""
    rules, (rows, length) = [visible(samples(ids), strict) for strict in (False, True)], ids.shape
    if ids.is_cuda:
        return tuple(compiled_block_mask(rule, rows, None, length, length, device=ids.device) for rule in rules)
    row, place = torch.arange(rows)[:, None, None, None], torch.arange(length)
    return tuple(rule(row, None, place[:, None], place) for rule in rules)


def attend(q, k, v, mask):
    """Attention of q [B, H, T, D] over k and v [B, G, T, D]; a query that sees nothing gets zero."""
    if not isinstance(mask, torch.Tensor):
        return flex_attention(q, k, v, block_mask=mask, enable_gqa=True)
    blind = ~mask.any(-1, keepdim=True)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask | blind, enable_gqa=True).masked_fill(blind, 0)


def mean_seen(ids):
    """How many ids a query of packed rows [B, T] sees on average, itself included."""
    place = torch.arange(ids.shape[1], device=ids.device)
    first = torch.where(ids == tok.PATH, place, 0).cummax(1).values
    return (place - first + 1).float().mean().item()
