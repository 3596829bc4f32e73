"""Greedy decode at batch 1 in PyTorch, for the shapes of bench/shapes.ts with random bf16 weights.

usage: python3 bench/peers.py [--runs 640:middle,1.1b:w2,7b:standard] [--tokens 1024] [--steps 128]

Eager, and one compiled step captured as a CUDA graph that is replayed without the CPU. The KV cache
is static. The shapes come from `node dist/bench/bench.mjs shapes`, so that both engines have the
same ones. Prints one JSON line a row.
"""

import argparse
import json
import statistics
import subprocess
import time

import torch
import torch.nn.functional as F

REPEATS = 3


class Decoder:
    """A Llama whose layer i reads the keys and values of layer reads[i] (lckv.md section 2)."""

    def __init__(self, config: dict, capacity: int, device: str):
        self.heads = config["num_attention_heads"]
        self.kv_heads = config["num_key_value_heads"]
        self.width = config["hidden_size"]
        self.head = self.width // self.heads
        self.reads = [int(layer) for layer in config["layer_types"].split("_")]
        self.device = device
        kv_width = self.kv_heads * self.head
        mlp = config["intermediate_size"]

        def weight(*shape: int) -> torch.Tensor:
            return torch.empty(shape, dtype=torch.bfloat16, device=device).normal_(0, 0.02)

        def cache() -> torch.Tensor:
            shape = (self.kv_heads, capacity, self.head)
            return torch.zeros(shape, dtype=torch.bfloat16, device=device)

        self.layers = []
        for layer in range(len(self.reads)):
            stores = layer in self.reads
            width = self.width + (2 * kv_width if stores else 0)
            self.layers.append(
                {
                    "qkv": weight(width, self.width),
                    "o": weight(self.width, self.width),
                    "gate_up": weight(2 * mlp, self.width),
                    "down": weight(self.width, mlp),
                    "norms": 1 + weight(2, self.width),
                }
            )
        self.caches = {layer: (cache(), cache()) for layer in set(self.reads)}
        self.embedding = weight(config["vocab_size"], self.width)
        tied = config.get("tie_word_embeddings")
        self.lm_head = self.embedding if tied else weight(config["vocab_size"], self.width)
        self.norm = 1 + weight(self.width)
        frequencies = 10000.0 ** (-torch.arange(0, self.head, 2, device=device) / self.head)
        angles = torch.arange(capacity, device=device)[:, None] * frequencies
        self.cos = torch.cat([angles.cos()] * 2, -1).bfloat16()
        self.sin = torch.cat([-angles.sin(), angles.sin()], -1).bfloat16()
        self.positions = torch.arange(capacity, device=device)
        self.token = torch.ones(1, dtype=torch.long, device=device)
        self.position = torch.zeros(1, dtype=torch.long, device=device)

    def weight_bytes(self) -> int:
        matrices = [w for layer in self.layers for w in layer.values()] + [self.lm_head]
        return sum(w.numel() * w.element_size() for w in matrices)

    def rotate(self, x: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        swapped = torch.cat([x[..., self.head // 2 :], x[..., : self.head // 2]], -1)
        return x * self.cos[position] + swapped * self.sin[position]

    def normed(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        y = x.float()
        return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + 1e-5)).bfloat16() * weight

    def attend(self, query: torch.Tensor, layer: int, position: torch.Tensor) -> torch.Tensor:
        keys, values = self.caches[self.reads[layer]]
        last = position - 1 if self.reads[layer] > layer else position
        scores = torch.matmul(query, keys.transpose(1, 2)).float() * self.head**-0.5
        scores = scores.masked_fill(self.positions > last, -1e30)
        return torch.matmul(scores.softmax(-1).bfloat16(), values).reshape(1, self.width)

    def step(self, token: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        """The likeliest token after `token` at `position`, both [1]; its keys and values are kept."""
        x = self.embedding[token]
        for i, layer in enumerate(self.layers):
            qkv = F.linear(self.normed(x, layer["norms"][0]), layer["qkv"]).view(-1, 1, self.head)
            if i in self.caches:
                keys, values = self.caches[i]
                key, value = qkv[self.heads :].split(self.kv_heads)
                keys.index_copy_(1, position, self.rotate(key, position))
                values.index_copy_(1, position, value)
            query = self.rotate(qkv[: self.heads], position)
            query = query.reshape(self.kv_heads, -1, self.head)
            x = x + F.linear(self.attend(query, i, position), layer["o"])
            gate, up = F.linear(self.normed(x, layer["norms"][1]), layer["gate_up"]).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, layer["down"])
        return F.linear(self.normed(x, self.norm), self.lm_head).argmax(-1)

    def start(self, position: int) -> None:
        self.token.fill_(1)
        self.position.fill_(position)


def advance(model: Decoder, step) -> None:
    model.token.copy_(step(model.token, model.position))
    model.position.add_(1)


def captured(model: Decoder):
    """One compiled step as a graph; returns what replays it and the seconds of compiling."""
    begin = time.time()
    step = torch.compile(model.step, fullgraph=True, dynamic=False)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            advance(model, step)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        advance(model, step)
    return graph.replay, time.time() - begin


def timed(model: Decoder, once, tokens: int, steps: int) -> float:
    """Seconds of a token after `tokens` others."""
    runs = []
    for repeat in range(REPEATS + 1):
        model.start(tokens)
        synchronize(model)
        begin = time.perf_counter()
        for _ in range(steps):
            once()
        synchronize(model)
        if repeat > 0:
            runs.append((time.perf_counter() - begin) / steps)
    return statistics.median(runs)


def synchronize(model: Decoder) -> None:
    if model.device == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", default="640:middle,bundled:middle,1.1b:w2,7b:standard")
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=128)
    options = parser.parse_args()
    listed = subprocess.run(["node", "dist/bench/bench.mjs", "shapes"], capture_output=True)
    known = [json.loads(line) for line in listed.stdout.splitlines() if line.startswith(b"{")]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    for run in options.runs.split(","):
        shape, layout = run.split(":")
        config = next(it for it in known if (it["shape"], it["layout"]) == (shape, layout))
        with torch.no_grad():
            model = Decoder(config, options.tokens + options.steps + 8, device)
            ways = [("eager", lambda: advance(model, model.step), 0.0)]
            if device == "cuda":
                ways.append(("compiled, CUDA graph", *captured(model)))
            for way, once, compiling in ways:
                seconds = timed(model, once, options.tokens, options.steps)
                row = {
                    "bench": "peers",
                    "device": name,
                    "engine": f"PyTorch {torch.__version__} {way}",
                    "shape": shape,
                    "layout": layout,
                    "precision": "bf16",
                    "tokens": options.tokens,
                    "decodeMs": round(seconds * 1000, 4),
                    "decodeTokensPerSecond": round(1 / seconds, 1),
                    "gbPerSecond": round(model.weight_bytes() / seconds / 1e9, 1),
                    "compileSeconds": round(compiling, 1),
                }
                print(json.dumps(row), flush=True)
        del model, ways, once
        if device == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
