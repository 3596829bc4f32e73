"""LCKV transformer (lckv-llama) for training, in PyTorch.

Layer i reads the keys/values of layer layer_types[i]. Layers that read a higher layer form one iteration group
first..target: they are run `passes` times, each pass reading the target's keys/values of the pass before, strictly (j < p).
All passes but the last need no more than the target's k and v. Without such layers (a standard transformer, `0_1_2_...`) there is
no group and nothing is repeated. The first pass reads zeros, or with `lckv_shortcut` what the target makes of a matrix' guess at its input
(shortcut.py). `masks` keep the samples of a packed row apart (packing.py). Shapes: B rows, T tokens, C hidden, H heads, G kv heads, D head size.
"""
import torch
import torch.nn.functional as F
from torch import nn

from packing import UNMASKED, attend


def rope_table(c, length, device):
    """cos and sin, each [T, D], of the half-rotation form."""
    inv = 1.0 / c.rope_theta ** (torch.arange(0, c.head_dim, 2, device=device, dtype=torch.float64) / c.head_dim)
    f = torch.arange(length, device=device, dtype=torch.float64)[:, None] * inv
    f = torch.cat([f, f], -1)
    return f.cos().float(), f.sin().float()


def rotate(x, rope):
    """Rotary position embedding of x [B, heads, T, D]."""
    cos, sin = rope
    a, b = x.chunk(2, -1)
    return (x * cos + torch.cat([-b, a], -1) * sin).to(x.dtype)


class RMSNorm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(c.hidden_size)), c.rms_norm_eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


class Attention(nn.Module):
    def __init__(self, c, has_kv):
        super().__init__()
        self.c = c
        self.q_proj = nn.Linear(c.hidden_size, c.num_attention_heads * c.head_dim, bias=False)
        self.o_proj = nn.Linear(c.num_attention_heads * c.head_dim, c.hidden_size, bias=False)
        if has_kv:
            self.k_proj = nn.Linear(c.hidden_size, c.num_key_value_heads * c.head_dim, bias=False)
            self.v_proj = nn.Linear(c.hidden_size, c.num_key_value_heads * c.head_dim, bias=False)

    def heads(self, x):
        """[B, T, heads*D] -> [B, heads, T, D]"""
        return x.view(*x.shape[:2], -1, self.c.head_dim).transpose(1, 2)

    def kv(self, x, rope):
        """Normed input [B, T, C] -> rotated keys and values, each [B, G, T, D]."""
        return rotate(self.heads(self.k_proj(x)), rope), self.heads(self.v_proj(x))

    def forward(self, x, rope, kv, strict, mask):
        """x [B, T, C]; a strict query at p sees keys < p, and the first one gets exactly zero. mask: more that it does not see, or None."""
        q, (k, v) = rotate(self.heads(self.q_proj(x)), rope), kv
        if mask is not None:
            o = attend(q, k, v, mask)
        elif strict:
            o = F.scaled_dot_product_attention(q[:, :, 1:], k[:, :, :-1], v[:, :, :-1], is_causal=True, enable_gqa=True)
            o = F.pad(o, (0, 0, 1, 0))
        else:
            o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.o_proj(o.transpose(1, 2).reshape(x.shape))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.up_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.down_proj = nn.Linear(c.intermediate_size, c.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c, has_kv, has_shortcut):
        super().__init__()
        self.input_layernorm, self.self_attn = RMSNorm(c), Attention(c, has_kv)
        self.post_attention_layernorm, self.mlp = RMSNorm(c), MLP(c)
        if has_shortcut:
            self.shortcut = nn.Linear(c.hidden_size, c.hidden_size, bias=False)

    def own_kv(self, h, rope):
        return self.self_attn.kv(self.input_layernorm(h), rope)

    def feed(self, h):
        return h + self.mlp(self.post_attention_layernorm(h))

    def forward(self, h, rope, kv, strict, mask=None):
        """h [B, T, C] -> [B, T, C], reading the given keys/values; kv None stands for all zeros, whose attention is zero."""
        if kv is not None:
            h = h + self.self_attn(self.input_layernorm(h), rope, kv, strict, mask)
        return self.feed(h)


class LCKV(nn.Module):
    """ids [B, T] -> hidden states [B, T, C] after the last norm. state_dict has the names of the released checkpoint."""

    def __init__(self, c):
        super().__init__()
        self.c, self.sources = c, c.sources()
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        shortcut = c.group()[1] if c.lckv_shortcut else None
        self.model.layers = nn.ModuleList(Layer(c, i in self.sources, i == shortcut) for i in range(c.num_hidden_layers))
        self.model.norm = RMSNorm(c)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                small = name.endswith(('o_proj.weight', 'down_proj.weight'))
                nn.init.normal_(p, std=0.02 / (2 * c.num_hidden_layers) ** 0.5 if small else 0.02)

    def compile(self):
        """Compiles layer by layer: one small graph for each kind of call, so a change of passes compiles nothing new."""
        for layer in self.model.layers:
            layer.forward, layer.own_kv = torch.compile(layer.forward), torch.compile(layer.own_kv)

    def group_kv(self, h, rope, masks, kv):
        """One pass over the group's layers below the target: h [B, T, C] -> (hidden, new keys/values of the target)."""
        first, target = self.c.group()
        for i in range(first, target):
            h = self.model.layers[i](h, rope, kv, True, masks[True])
        return h, self.model.layers[target].own_kv(h, rope)

    def first_kv(self, h, rope):
        """What the first pass over the group reads, from its input h [B, T, C]: keys/values, or None for zeros."""
        if not self.c.lckv_shortcut:
            return None
        first, target = (self.model.layers[i] for i in self.c.group())
        return target.own_kv(target.shortcut(first.input_layernorm(h)), rope)

    def forward(self, ids, no_grad_passes=None, grad_passes=None, tolerance=None, masks=UNMASKED, trace=None):
        """With `tolerance`, passes are repeated (at most T times) until the shared keys/values move less than that: exact prefill.
        trace: a list that gets the shared keys/values to begin with, those that the first pass with gradient reads, and what each such pass makes."""
        return self.run(ids, no_grad_passes, grad_passes, tolerance, masks, trace)[0]

    def run(self, ids, no_grad_passes=None, grad_passes=None, tolerance=None, masks=UNMASKED, trace=None):
        """-> (hidden states after the last norm, {layer: (keys, values)} of the layers that keep them). Parameters as in `forward`."""
        first, target = self.c.group() or (self.c.num_hidden_layers,) * 2
        layers, rope, own = self.model.layers, rope_table(self.c, ids.shape[1], ids.device), {}
        h = self.model.embed_tokens(ids)
        if torch.is_autocast_enabled('cuda'):
            h = h.bfloat16()
        h = self.stack(range(first), h, rope, masks, own)
        if target < len(layers):
            no_grad = self.c.forward_passes if no_grad_passes is None else no_grad_passes
            grad = self.c.backward_passes if grad_passes is None else grad_passes
            h, own[target] = self.iterate(h, rope, masks, no_grad, grad, tolerance, trace)
            h = layers[target](h, rope, own[target], False, masks[False])
        h = self.stack(range(target + 1, len(layers)), h, rope, masks, own)
        return self.model.norm(h), own

    def stack(self, indices, h, rope, masks, own):
        """Layers that read a layer at or below themselves; keys/values are added to `own`."""
        for i in indices:
            if self.sources[i] == i:
                own[i] = self.model.layers[i].own_kv(h, rope)
            h = self.model.layers[i](h, rope, own[self.sources[i]], False, masks[False])
        return h

    def iterate(self, start, rope, masks, no_grad, grad, tolerance, trace=None):
        """The passes over the group: start [B, T, C] -> (hidden before the target layer, its keys/values)."""
        guess = self.first_kv(start, rope)
        kv = guess and tuple(t.detach() for t in guess)
        with torch.no_grad():
            if tolerance is not None:
                kv, no_grad, grad = self.converge(start.detach(), rope, masks, tolerance), 0, 1
            for _ in range(no_grad):
                kv = self.group_kv(start.detach(), rope, masks, kv)[1]
        made = [guess, kv]
        for _ in range(grad):
            h, kv = self.group_kv(start, rope, masks, kv)
            made.append(kv)
        if trace is not None:
            trace.extend(made)
        return h, kv

    def converge(self, h, rope, masks, tolerance):
        """Repeats passes until the shared keys/values stand still: within `tolerance`, or moving no less than before (rounding only)."""
        kv, least = self.first_kv(h, rope), 1e-3
        for _ in range(h.shape[1]):
            new = self.group_kv(h, rope, masks, kv)[1]
            if kv is not None:
                moved = torch.stack([(a - b).abs().max() for a, b in zip(new, kv)]).max().item()
                if moved <= tolerance or least <= moved < 1e-3:
                    return new
                least = min(least, moved)
            kv = new
        return kv

    def logits(self, hidden):
        """[..., C] -> [..., vocab], with the tied embedding."""
        return F.linear(hidden, self.model.embed_tokens.weight.to(hidden.dtype))
