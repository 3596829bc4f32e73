#!/usr/bin/env python3
"""int8 release format. usage: export.py pack CHECKPOINT.pt OUT | assemble PIECES_DIR MODEL_DIR

`pack` (where torch is) writes model.safetensors in pieces of at most 15 MiB, model.safetensors.0, .1, ...; `assemble` joins them.
Each matrix NAME.weight is I8 [rows, cols] with NAME.weight_scale F16 [rows, cols/32]: weight = q * scale. Norm weights are F32.
"""
import glob
import hashlib
import os
import shutil
import sys

GROUP = 32
PIECE = 15 * 2**20


def quantise(w, bits=8):
    """float [rows, cols] -> (int8 [rows, cols], float16 [rows, cols/32]), symmetric; the scale is rounded before it is used."""
    import torch
    top = 2 ** (bits - 1) - 1
    g = w.float().view(w.shape[0], -1, GROUP)
    scale = (g.abs().amax(-1) / top).half()
    safe = scale.float().clamp_min(1e-12)[..., None]
    return (g / safe).round().clamp(-top, top).to(torch.int8).view(w.shape), scale


def dequantise(q, scale):
    """float32 [rows, cols], exactly what a runtime computes from the file."""
    return (q.float().view(q.shape[0], -1, GROUP) * scale.float()[..., None]).view(q.shape)


def quantised_state(state, bits=8):
    """Checkpoint -> tensors of the release file (8 bits)."""
    out = {}
    for name, w in state.items():
        if w.dim() == 2:
            out[name], out[f'{name}_scale'] = quantise(w, bits)
        else:
            out[name] = w.float()
    return out


def restored_state(tensors):
    """Tensors of the release file -> float32 weights."""
    return {n: dequantise(w, tensors[f'{n}_scale']) if w.dim() == 2 else w for n, w in tensors.items() if not n.endswith('_scale')}


def grown(state, config):
    """Weights of a model with fewer layers -> weights for `config` that compute the same. The layers more, above the shared keys and
    values, begin as copies of the one below whose last products are zero, so that they add nothing yet."""
    layers, have = {}, 0
    for name, w in state.items():
        if name.startswith('model.layers.'):
            i, part = name.removeprefix('model.layers.').split('.', 1)
            layers.setdefault(int(i), {})[part] = w
    have, (_, target) = len(layers), config.group()
    more = config.num_hidden_layers - have
    if not 0 <= more <= have - target - 2:
        raise ValueError(f'{have} layers cannot become {config.num_hidden_layers}')
    out = {n: w for n, w in state.items() if not n.startswith('model.layers.')}
    order = [(i, again) for i in range(have) for again in ([False, True] if target < i <= target + more else [False])]
    for at, (i, again) in enumerate(order):
        for part, w in layers[i].items():
            nothing = again and part in ('self_attn.o_proj.weight', 'mlp.down_proj.weight')
            out[f'model.layers.{at}.{part}'] = w * 0 if nothing else w.clone()
    return out


def read_release(folder):
    """Tensors of a release: model.safetensors in `folder`, whole or in pieces."""
    from safetensors.torch import load
    paths = sorted(glob.glob(f'{folder}/model.safetensors.*'), key=lambda p: int(p.rsplit('.', 1)[1])) or [f'{folder}/model.safetensors']
    raw = []
    for path in paths:
        with open(path, 'rb') as f:
            raw.append(f.read())
    return load(b''.join(raw))


def write_pieces(state, out):
    from safetensors.torch import save
    raw = save({n: t.contiguous().cpu() for n, t in quantised_state(state).items()}, metadata={'format': 'pt'})
    for i in range(0, len(raw), PIECE):
        with open(f'{out}/model.safetensors.{i // PIECE}', 'wb') as f:
            f.write(raw[i:i + PIECE])
    print(f'packed {len(raw)} bytes, sha256 {hashlib.sha256(raw).hexdigest()}')


def pack(checkpoint, out):
    import torch
    write_pieces(torch.load(checkpoint, map_location='cpu', weights_only=True)['model'], out)


def assemble(pieces, model_dir):
    from model_config import config_json
    paths = sorted(glob.glob(f'{pieces}/model.safetensors.*'))
    if not paths:
        sys.exit(f'{pieces} has no pieces of a model')
    os.makedirs(model_dir, exist_ok=True)
    with open(f'{model_dir}/model.safetensors', 'wb') as f:
        for path in paths:
            with open(path, 'rb') as piece:
                shutil.copyfileobj(piece, f)
    with open(f'{model_dir}/model.safetensors', 'rb') as f:
        print(f'assembled, sha256 {hashlib.sha256(f.read()).hexdigest()}')
    with open(f'{model_dir}/config.json', 'w') as f:
        f.write(config_json())
    for name in 'tokenizer.json', 'config.json':
        if os.path.exists(f'{pieces}/{name}'):
            shutil.copy(f'{pieces}/{name}', f'{model_dir}/{name}')


if __name__ == '__main__':
    {'pack': pack, 'assemble': assemble}[sys.argv[1]](*sys.argv[2:4])
