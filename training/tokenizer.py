#!/usr/bin/env python3
"""Trains the byte-level BPE tokenizer. usage: tokenizer.py train SHARD.jsonl.xz OUT.json | cases HELDOUT.jsonl.xz TOKENIZER.json OUT.json N

A pre-token that contains a newline begins with its newline run, and no other one contains a newline: text may therefore be cut
before any newline run and the pieces encoded one by one. The pattern means the same in Rust's Oniguruma and in JavaScript (flag u).
"""
import json
import lzma
import random
import sys

SPECIALS = ['<|end|>', '<|path|>', '<|suffix|>', '<|prefix|>', '<|snippet|>', '<|instruction|>', '<|pad|>']
END, PATH, SUFFIX, PREFIX, SNIPPET, INSTRUCTION, PAD = range(7)
VOCABULARY = 16384
PATTERN = (r'(?:\r?\n)+[ \t]*'                     # newline run and the indentation after it
           r'| ?[\p{L}_]+|\p{N}| ?[^ \t\r\n\p{L}\p{N}_]+'
           r'|[ \t]+(?= [^ \t\r\n\p{N}])|[ \t]+|\r')
ODD = ['', ' ', '\n', '\r\n', '\r', '\r\r\n', '\t', ' \n ', 'a\r\n\tb\r\n\r\n  c', '    x\n\n\n\ty  \n', 'a   b  1  2 \t c', '😀 👩‍👩‍👧 é e\u0301 ñ', '日本語のテキスト、한국어',
       'ﬁ\u00a0\u2028\ufeff\u200b\u0085x', '3.14159e-10 0xFF 1_000', 'fooBar_bazQux123 __init__', 'ⅷ ² ½ ٣', '\x00\x01\x7f\f\v', 'Ω≈ç√∫˜µ≤≥÷',
       "don't `a${b}` /* */ // # <!-- -->", '=>?.??=!==&&||', 'مرحبا שלום', '𝒳𝓎 \U0001F9D1\U0001F3FD‍\U0001F4BB', 'a\u0300\u0301b', 'end\n', '\n\n\n', '\t\t\n\t\t']


def texts(path, share=1.0, seed=0):
    rng = random.Random(seed)
    with lzma.open(path, 'rt', newline='') as f:
        for line in f:
            if rng.random() < share:
                yield json.loads(line)['t']


def load(path):
    """Tokenizer that treats the names of special tokens in a text as ordinary text."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        import bpe
        return bpe.Tokenizer(path)
    t = Tokenizer.from_file(path)
    t.encode_special_tokens = True
    return t


def train(shard, out, limit=150_000_000):
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    sample, size = [], 0
    for text in texts(shard, 0.5):
        sample.append(text)
        size += len(text)
        if size > limit:
            break
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior='isolated'), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(sample, trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), limit_alphabet=256,
        min_frequency=2, max_token_length=32, show_progress=False))
    assert [t.token_to_id(s) for s in SPECIALS] == list(range(7)) and t.get_vocab_size() == VOCABULARY, t.get_vocab_size()
    t.save(out)
    n = sum(len(e.ids) for e in load(out).encode_batch(sample[:2000], add_special_tokens=False))
    print(f'tokenizer: trained on {size / 1e6:.0f} MB, {sum(len(s.encode()) for s in sample[:2000]) / n:.3f} bytes a token')


def cases(heldout, tokenizer, out, count):
    """Texts with their ids, for the check of the JavaScript side. The first ones are odd, the others cut from held-out files."""
    t, rng, chosen = load(tokenizer), random.Random(7), list(ODD)
    pool = list(texts(heldout))
    while len(chosen) < count:
        s = rng.choice(pool)
        a = rng.randrange(len(s))
        s = s[a:a + rng.choice([20, 80, 200, 600])]
        chosen.append(s.replace('\n', '\r\n') if rng.random() < 0.1 else s)
    rows = [dict(text=s, ids=t.encode(s, add_special_tokens=False).ids) for s in chosen]
    for r in rows:
        assert t.decode(r['ids'], skip_special_tokens=False) == r['text'], r['text']
        for i, ch in enumerate(r['text']):                      # may be cut before any newline run
            run = ch == '\n' or r['text'][i:i + 2] == '\r\n'
            if run and not (i and r['text'][i - 1] in '\r\n'):
                pieces = r['text'][:i], r['text'][i:]
                assert sum((t.encode(p, add_special_tokens=False).ids for p in pieces), []) == r['ids'], r['text']
    with open(out, 'w') as f:
        json.dump(rows, f, ensure_ascii=True, indent=0)
    print(f'{len(rows)} tokenizer cases')


if __name__ == '__main__':
    if sys.argv[1] == 'train':
        train(*sys.argv[2:4])
    else:
        cases(*sys.argv[2:5], int(sys.argv[5]))
