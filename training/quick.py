#!/usr/bin/env python3
"""A look at a release without PyTorch or a GPU: lines of held-out packages, with short prompts.

usage: quick.py MODEL_DIR HELDOUT.jsonl.xz TOKENIZER OUT.jsonl SHARE [BUDGET [PART OF]]
Completes a share of the line cases of TypeScript, JavaScript and Python greedily up to the line's end, in float32 numpy with as many
passes as the model was trained with; prompts of at most BUDGET ids, with snippets. Writes what score.py reads, line by line.
PART OF: every OF-th case from PART on, for several processes. About two seconds a case and core.
"""
import json
import sys

import numpy as np

import cases
import tokenizer as tok
from golden import read_weights
from model_config import Config

LANGUAGES = ('typescript', 'javascript', 'python')
LIMIT = 40                 # ids of a line


class Model:
    """LCKV of one sequence. h [T, C]; keys and values of a layer [G, S, D]."""

    def __init__(self, folder):
        self.c = Config.of(folder)
        self.w = {name: np.ascontiguousarray(w, np.float32) for name, w in read_weights(folder).items()}
        self.sources, (self.first, self.target) = self.c.sources(), self.c.group()
        c, half = self.c, self.c.head_dim // 2
        angles = np.arange(c.max_position_embeddings)[:, None] / c.rope_theta ** (np.arange(half) / half)
        self.cos, self.sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def linear(self, x, i, name):
        return x @ self.w[f'model.layers.{i}.{name}.weight'].T

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.c.rms_norm_eps) * self.w[name]

    def heads(self, x, at=None):
        """[T, heads * D] -> [heads, T, D], rotated for positions from `at` on unless it is None."""
        x = x.reshape(len(x), -1, self.c.head_dim).transpose(1, 0, 2)
        if at is None:
            return x
        cos, sin = self.cos[at:at + x.shape[1]], self.sin[at:at + x.shape[1]]
        a, b = np.split(x, 2, -1)
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def kv(self, h, i, at):
        x = self.norm(h, f'model.layers.{i}.input_layernorm.weight')
        return self.heads(self.linear(x, i, 'self_attn.k_proj'), at), self.heads(self.linear(x, i, 'self_attn.v_proj'))

    def layer(self, h, i, kv, at, strict):
        """Queries at positions `at` and on; a strict one sees only what is before it, kv None stands for zeros."""
        if kv is not None:
            q = self.heads(self.linear(self.norm(h, f'model.layers.{i}.input_layernorm.weight'), i, 'self_attn.q_proj'), at)
            k, v = (np.repeat(x, len(q) // len(x), 0) for x in kv)
            scores = q @ k.transpose(0, 2, 1) / np.float32(self.c.head_dim ** 0.5)
            seen = np.arange(k.shape[1]) <= (np.arange(at, at + len(h)) - strict)[:, None]
            scores = np.where(seen, scores, np.float32(-1e30))
            weights = np.exp(scores - scores.max(-1, keepdims=True)) * seen
            o = weights @ v / np.maximum(weights.sum(-1, keepdims=True), np.float32(1e-30))
            h = h + self.linear(o.transpose(1, 0, 2).reshape(h.shape[0], -1), i, 'self_attn.o_proj')
        x = self.norm(h, f'model.layers.{i}.post_attention_layernorm.weight')
        gate, up = self.linear(x, i, 'mlp.gate_proj'), self.linear(x, i, 'mlp.up_proj')
        return h + self.linear(gate / (1 + np.exp(-gate)) * up, i, 'mlp.down_proj')

    def run(self, ids, cache, passes):
        """Appends ids to the cache {layer: (keys, values)}; -> the logits after the last one."""
        at = cache[0][0].shape[1] if cache else 0
        own = {}

        def joined(i, new):
            return tuple(np.concatenate(pair, 1) for pair in zip(cache[i], new)) if cache else new

        def stack(h, indices):
            for i in indices:
                if self.sources[i] == i:
                    own[i] = joined(i, self.kv(h, i, at))
                h = self.layer(h, i, own[self.sources[i]], at, False)
            return h
        start = stack(self.w['model.embed_tokens.weight'][ids], range(self.first))
        shared = cache.get(self.target)
        for _ in range(passes):
            h = start
            for i in range(self.first, self.target):
                h = self.layer(h, i, shared, at, True)
            shared = joined(self.target, self.kv(h, self.target, at))
        own[self.target] = shared
        h = stack(self.layer(h, self.target, shared, at, False), range(self.target + 1, len(self.sources)))
        cache.update(own)
        return self.w['model.embed_tokens.weight'] @ self.norm(h[-1], 'model.norm.weight')


def complete(model, ids, starts_line):
    """Greedy ids up to the line's end, and whether `<|end|>` came."""
    cache, out = {}, []
    logits = model.run(ids, cache, model.c.forward_passes + model.c.backward_passes)
    while len(out) < LIMIT:
        out.append(int(logits.argmax()))
        if out[-1] == tok.END:
            return out[:-1], True
        if starts_line[out[-1]]:
            break
        logits = model.run(out[-1:], cache, 1)
    return out, False


def main(folder, heldout, tokenizer_path, out, share, budget='448', part='0', of='1'):
    model, prompts = Model(folder), cases.Prompts(tok.load(tokenizer_path))
    found = [c for c in cases.make(cases.documents(heldout), float(share)) if c['kind'] == 'line' and c['language'] in LANGUAGES]
    right = 0
    with open(out, 'w') as f:
        for n, case in enumerate(found[int(part)::int(of)], 1):
            ids, ended = complete(model, prompts.ids(case, budget=int(budget)), prompts.starts_line)
            text = prompts.tokenizer.decode(ids, skip_special_tokens=False)
            right += text.split('\n')[0].rstrip() == case['expected'].rstrip()
            f.write(json.dumps(dict(id=case['id'], suffix=True, snippets=True, expected=case['expected'], completion=text, ended=ended)) + '\n')
            f.flush()
            print(f'{n} cases, {right} exact ({100 * right / n:.1f} %)', flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
