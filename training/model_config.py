"""Shape of the released model and its config.json. Needs no PyTorch."""
import json
from dataclasses import asdict, dataclass, fields


@dataclass
class Config:
    vocab_size: int = 16384
    hidden_size: int = 512
    intermediate_size: int = 1536
    num_hidden_layers: int = 16
    num_attention_heads: int = 8
    num_key_value_heads: int = 4
    head_dim: int = 64
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5
    max_position_embeddings: int = 2048
    layer_types: str = '0_5_5_5_5_5_5_5_5_5_5_5_5_5_5_15'
    force_nodiag: bool = False
    forward_passes: int = 4
    backward_passes: int = 2
    lckv_shortcut: bool = False     # shortcut.py

    @classmethod
    def of(cls, folder):
        """That of a release."""
        with open(f'{folder}/config.json') as f:
            given = json.load(f)
        return cls(**{f.name: given[f.name] for f in fields(cls) if f.name in given})

    def sources(self):
        """For each layer the layer whose keys/values it reads."""
        return [int(t) for t in self.layer_types.split('_')]

    def group(self):
        """(first, target) of the iterated layers, None if no layer reads from above; one such group is supported."""
        upper = [(i, t) for i, t in enumerate(self.sources()) if t > i]
        if not upper:
            return None
        targets = {t for _, t in upper}
        if len(targets) != 1 or [i for i, _ in upper] != list(range(upper[0][0], max(targets))):
            raise ValueError(f'one iteration group expected in {self.layer_types}')
        return upper[0][0], targets.pop()


def config_json(config=None):
    """config.json of the released checkpoint."""
    return json.dumps(dict(
        architectures=['LCKVLlamaForCausalLM'], model_type='lckv-llama', **asdict(config or Config()), hidden_act='silu',
        tie_word_embeddings=True, attention_bias=False, mlp_bias=False, sliding_window=4096, use_sequential=False, bos_token_id=0,
        eos_token_id=0, pad_token_id=6, torch_dtype='float32', lckv_prompt=dict(snippets=True), quantization=dict(format='int8-group', group_size=32)), indent=2) + '\n'
