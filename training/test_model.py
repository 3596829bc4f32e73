#!/usr/bin/env python3
"""The PyTorch model against the float64 numpy reference, on tiny random configurations. usage: test_model.py"""
from dataclasses import replace

import numpy as np
import torch

import tokenizer as tok
from convergence import leave
from export import dequantise, grown, quantise
from generate import greedy
from lckv_ref import LCKV as Reference
from lckv_ref import random_weights
from model import LCKV
from model_config import Config
from shortcut import solve


def tiny(layer_types):
    n = len(layer_types.split('_'))
    return Config(vocab_size=97, hidden_size=64, intermediate_size=96, num_hidden_layers=n, num_attention_heads=4, num_key_value_heads=2,
                  head_dim=16, layer_types=layer_types)


def pair(layer_types, seed, dtype=torch.float64, device='cpu'):
    c = tiny(layer_types)
    cfg = dict(vars(c), tie_word_embeddings=True)
    weights = random_weights(cfg, seed, 0.08)
    del weights['lm_head.weight']
    model = LCKV(c).to(device, dtype)
    model.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
    return model, Reference(cfg, weights)


def error(model, ref, ids, how, **passes):
    with torch.no_grad():
        device = model.model.embed_tokens.weight.device
        got = model.logits(model(torch.tensor([ids], device=device), **passes))[0].double().cpu().numpy()
    want = ref.prefill(ids, ref.new_cache(), how)
    return np.abs(got - want).max() / np.abs(want).max()


def test_passes(device='cpu'):
    for layer_types in ('0_4_4_4_4_4_4_7', '0_3_3_3_3_5', '0_1_4_4_4_5'):
        model, ref = pair(layer_types, 3, device=device)
        ids = np.random.default_rng(1).integers(0, 97, 24).tolist()
        for n in (1, 2, 3, 7, 24):
            e = error(model, ref, ids, n, no_grad_passes=n - 1, grad_passes=1)
            assert e < 1e-5, (layer_types, n, e)      # rope tables are float32
        e = error(model, ref, ids, 'seq', tolerance=1e-12)
        assert e < 1e-5, (layer_types, 'exact', e)


def test_standard():
    model, ref = pair('0_1_2_3', 3)
    ids = np.random.default_rng(1).integers(0, 97, 24).tolist()
    assert error(model, ref, ids, 'seq') < 1e-5


def test_greedy_with_cache():
    """Prompts of several lengths in one batch, against whole forward passes."""
    rng = np.random.default_rng(2)
    for layer_types in ('0_3_3_3_3_5', '0_1_2_3'):
        model, _ = pair(layer_types, 7)
        prompts = [rng.integers(7, 97, n).tolist() for n in (3, 9, 1, 14)]
        for prompt, (got, _) in zip(prompts, greedy(model, prompts, 8, passes=22)):
            ids = list(prompt)
            while len(ids) < len(prompt) + 8:
                with torch.no_grad():
                    ids.append(model.logits(model(torch.tensor([ids]), len(ids), 1))[0, -1].argmax().item())
            want = ids[len(prompt):]
            assert got == (want[:want.index(tok.END)] if tok.END in want else want)


def test_gradient_reaches_every_weight():
    model, _ = pair('0_4_4_4_4_4_4_7', 5)
    ids = torch.randint(0, 97, (2, 16))
    model.logits(model(ids, 1, 2)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_grown_computes_the_same():
    small, _ = pair('0_3_3_3_3_3_6', 9)
    big = LCKV(tiny('0_3_3_3_3_3_3_3_8')).double()
    big.load_state_dict(grown(small.state_dict(), big.c))
    ids = torch.randint(0, 97, (2, 16))
    with torch.no_grad():
        assert torch.equal(small(ids, 3, 1), big(ids, 3, 1))
    big.logits(big(ids, 1, 2)).square().sum().backward()
    assert all(layer.mlp.down_proj.weight.grad.abs().sum() > 0 for layer in big.model.layers)


def test_shortcut():
    """It changes where the passes begin and not where they end; fitted, it begins nearer to that."""
    torch.manual_seed(2)
    model, _ = pair('0_3_3_3_3_5', 3)
    batches = [torch.randint(0, 97, (1, 40)) for _ in range(200)]
    with_it = LCKV(replace(model.c, lckv_shortcut=True)).double()
    with torch.no_grad():
        state = model.state_dict() | {'model.layers.3.shortcut.weight': solve(model, batches).double()}
        with_it.load_state_dict(state)
        ids = torch.randint(0, 97, (16, 40))
        exact = model(ids, tolerance=1e-12)
        assert (with_it(ids, tolerance=1e-12) - exact).abs().max() < 1e-9
        guessed, zeros = ((m(ids, 0, 1) - exact).norm() for m in (with_it, model))
        assert guessed < 0.8 * zeros, (guessed, zeros)


def test_leaving():
    """Nobody leaves early at a tolerance of zero, and the ids are those of exact prefill; with a large one all leave after the first pass."""
    model, _ = pair('0_3_3_3_3_5', 3)
    ids = torch.randint(0, 97, (1, 20))
    with torch.no_grad():
        picked, rows = leave(model, ids, 0, True, 20)
        assert rows == list(range(20, 0, -1)), rows
        assert torch.equal(picked, model.logits(model(ids, 19, 1)).argmax(-1)[0])
        assert leave(model, ids, 10, False, 20)[1] == [20]


def test_quantise():
    w = torch.randn(8, 64) * torch.rand(8, 1)
    q, scale = quantise(w)
    assert q.dtype == torch.int8 and scale.dtype == torch.float16 and scale.shape == (8, 2)
    assert ((dequantise(q, scale) - w).abs() <= scale.float().repeat_interleave(32, 1) * 0.51).all()


if __name__ == '__main__':
    for device in ['cpu'] + ['cuda'] * torch.cuda.is_available():
        test_passes(device)
    test_standard()
    test_greedy_with_cache()
    test_gradient_reaches_every_weight()
    test_grown_computes_the_same()
    test_shortcut()
    test_leaving()
    test_quantise()
    print('test_model: 8 passed, 0 failed')
