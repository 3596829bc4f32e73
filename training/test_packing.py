#!/usr/bin/env python3
"""Samples packed into one row give the results that each gives alone. usage: test_packing.py     on a GPU it checks what training runs there"""
import numpy as np
import torch

import packing
import tokenizer as tok
from model import LCKV
from model_config import Config
from test_model import pair

LAYOUTS = ('0_4_4_4_4_4_4_7', '0_3_3_3_3_5', '0_1_4_4_4_5', '0_1_2_3')


def packed(lengths, vocabulary, seed):
    """Random samples of these lengths, each beginning with <|path|>."""
    rng = np.random.default_rng(seed)
    return [[tok.PATH, *rng.integers(7, vocabulary, n - 1).tolist()] for n in lengths]


def relative(got, want):
    return ((got - want).norm() / want.norm()).item()


def test_masks():
    """Against the definition, written out: one row of samples of 2, 1 and 3 ids."""
    ids = torch.tensor([[tok.PATH, 9, tok.PATH, tok.PATH, 8, tok.PAD]])
    plain, strict = packing.masks(ids)
    assert plain[0, 0].int().tolist() == [[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1]]
    assert strict[0, 0].int().tolist() == [[0] * 6, [1, 0, 0, 0, 0, 0], [0] * 6, [0] * 6, [0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 1, 0]]
    assert abs(packing.mean_seen(ids) - (1 + 2 + 1 + 1 + 2 + 3) / 6) < 1e-6


def test_reference():
    """Logits of a packed row, by number of passes, against those of the float64 reference for each sample alone."""
    found = packed((7, 1, 12, 4), 97, 1)
    ids = torch.tensor([sum(found, [])])
    for layout in LAYOUTS:
        model, ref = pair(layout, 3)
        for passes in (1, 2, 7, 24):
            with torch.no_grad():
                got = model.logits(model(ids, passes - 1, 1, masks=packing.masks(ids)))[0].numpy()
            want = np.concatenate([ref.prefill(s, ref.new_cache(), passes) for s in found])
            assert np.abs(got - want).max() < 1e-5 * np.abs(want).max(), (layout, passes)      # rope tables are float32


def gradients(model, rows, masked):
    """Gradient of the summed squares of the hidden states, all weights in one vector."""
    model.zero_grad(set_to_none=True)
    for ids in rows:
        model(ids, 2, 2, masks=packing.masks(ids) if masked else packing.UNMASKED).float().square().sum().backward()
    return torch.cat([p.grad.flatten().double() for p in model.parameters()])


def test_gradients():
    found = packed((7, 2, 12, 4), 97, 2)
    model, _ = pair(LAYOUTS[0], 5)
    alone = gradients(model, [torch.tensor([s]) for s in found], False)
    assert relative(gradients(model, [torch.tensor([sum(found, [])])], True), alone) < 1e-5


def test_gpu():
    """The compiled kernels as in training: real shape, bfloat16, hidden states and gradients."""
    torch.manual_seed(0)
    config = Config()
    length = config.max_position_embeddings
    model, plain = LCKV(config).cuda(), LCKV(config).cuda()
    plain.load_state_dict(model.state_dict())
    model.compile()
    with torch.autocast('cuda', torch.bfloat16, cache_enabled=False):     # uncompiled, weights cached in a pass without gradient would get none
        for seed, lengths in enumerate(((900, 2, 126, 128, 700, 192), (length,), (3, 5, 1020, 1020))):
            found = packed(lengths, config.vocab_size, seed)
            rows, alone = torch.tensor([sum(found, [])] * 2, device='cuda'), [torch.tensor([s], device='cuda') for s in found]
            with torch.no_grad():
                got, want = model(rows, 5, 2, masks=packing.masks(rows))[1], torch.cat([plain(s, 5, 2)[0] for s in alone])
            assert relative(got.float(), want.float()) < 2e-2, lengths
            got, want = gradients(model, [rows], True), 2 * gradients(plain, alone, False)
            assert relative(got, want) < 5e-2, lengths


if __name__ == '__main__':
    tests = [test_masks, test_reference, test_gradients] + [test_gpu] * torch.cuda.is_available()
    for test in tests:
        test()
    print(f'test_packing: {len(tests)} passed, 0 failed')
