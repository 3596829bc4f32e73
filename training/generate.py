"""Greedy completion of many prompts at once, with a cache of the condensed keys and values.

Rows of a batch have prompts of different lengths: keys and values of position p are in column p of the cache, and each row has its own p.
"""
import torch
import torch.nn.functional as F

import tokenizer as tok
from model import rope_table, rotate

BATCH_IDS = 131072         # ids of one prefill


def batches(prompts):
    """Indices of the prompts by length, in batches of at most BATCH_IDS padded ids."""
    order, start = sorted(range(len(prompts)), key=lambda i: len(prompts[i])), 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * len(prompts[order[stop]]) <= BATCH_IDS:
            stop += 1
        yield order[start:stop]
        start = stop


def attend(attention, x, rope, kv, visible):
    """One query a row. x [B, 1, C]; kv (keys, values), each [B, G, S, D]; visible [B, 1, 1, S]; a row that sees nothing gets zero."""
    q = rotate(attention.heads(attention.q_proj(x)), rope)
    o = F.scaled_dot_product_attention(q, *kv, attn_mask=visible, enable_gqa=True)
    o = torch.where(visible.any(-1, keepdim=True), o, torch.zeros_like(o))
    return attention.o_proj(o.transpose(1, 2).reshape(x.shape))


class Decoder:
    """The cache of one batch after prefill. cache: {layer: (keys, values)}, each [B, G, S, D]."""

    def __init__(self, model, prompts, extra, passes):
        device = model.model.embed_tokens.weight.device
        self.model, self.lengths = model, torch.tensor([len(p) for p in prompts], device=device)
        longest = int(self.lengths.max())
        ids = torch.full((len(prompts), longest), tok.PAD)
        for i, p in enumerate(prompts):
            ids[i, :len(p)] = torch.tensor(p)
        hidden, own = model.run(ids.to(device), passes - 1, 1)
        self.rows = torch.arange(len(prompts), device=device)
        self.rope = rope_table(model.c, longest + extra, device)
        self.cache = {i: tuple(F.pad(x, (0, 0, 0, extra)) for x in kv) for i, kv in own.items()}
        self.columns = torch.arange(longest + extra, device=device)
        self.hidden = hidden[self.rows, self.lengths - 1]

    def logits(self):
        """[B, vocabulary] for the id that comes next, in float32: in bfloat16 near ones would be equal."""
        with torch.autocast('cuda', enabled=False):
            return self.model.logits(self.hidden.float())

    def step(self, ids):
        """Appends one id a row: ids [B]."""
        at, sources, layers = self.lengths, self.model.sources, self.model.model.layers
        rope = tuple(table[at][:, None, None, :] for table in self.rope)
        below = (self.columns < at[:, None])[:, None, None, :]
        upto = (self.columns <= at[:, None])[:, None, None, :]
        h = self.model.model.embed_tokens(ids)[:, None]
        if torch.is_autocast_enabled('cuda'):
            h = h.bfloat16()
        for i, layer in enumerate(layers):
            if sources[i] == i:
                for stored, new in zip(self.cache[i], layer.own_kv(h, rope)):
                    stored[self.rows, :, at] = new[:, :, 0].to(stored.dtype)
            strict = sources[i] > i
            h = h + attend(layer.self_attn, layer.input_layernorm(h), rope, self.cache[sources[i]], below if strict else upto)
            h = layer.feed(h)
        self.hidden = self.model.model.norm(h)[:, 0]
        self.lengths = at + 1


def greedy(model, prompts, count, passes=None):
    """At most `count` ids a prompt, cut before `<|end|>`: [(ids, ended by itself)], in the order of the prompts."""
    passes = passes or model.c.forward_passes + model.c.backward_passes
    out = [None] * len(prompts)
    with torch.no_grad():
        for part in batches(prompts):
            decoder, picked = Decoder(model, [prompts[i] for i in part], count, passes), []
            for n in range(count):
                picked.append(decoder.logits().argmax(-1))
                if n + 1 < count:
                    decoder.step(picked[-1])
            for i, ids in zip(part, torch.stack(picked, 1).tolist()):
                ended = tok.END in ids
                out[i] = (ids[:ids.index(tok.END)] if ended else ids, ended)
    return out
