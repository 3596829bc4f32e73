#!/usr/bin/env python3
"""A look at a release without PyTorch or a GPU: lines of held-out packages, with short prompts.

usage: quick.py MODEL_DIR HELDOUT.jsonl.xz TOKENIZER OUT.jsonl SHARE [BUDGET [PART OF]]
Completes a share of the line cases of TypeScript, JavaScript and Python greedily up to the line's end, with the float64 reference and as
many passes as the model was trained with; prompts of at most BUDGET ids, with snippets. Writes what score.py reads, line by line.
PART OF: every OF-th case from PART on, for several processes. Four seconds a case of 512 ids on two cores.
"""
import json
import sys

import cases
import tokenizer as tok
from golden import load_model
from model_config import Config

LANGUAGES = ('typescript', 'javascript', 'python')
LIMIT = 40                 # ids of a line
PASSES = Config().forward_passes + Config().backward_passes


def complete(model, ids, starts_line):
    """Greedy ids up to the line's end, and whether `<|end|>` came."""
    cache, out = model.new_cache(), []
    logits = model.prefill(ids, cache, PASSES)[-1]
    while len(out) < LIMIT:
        out.append(int(logits.argmax()))
        if out[-1] == tok.END:
            return out[:-1], True
        if starts_line[out[-1]]:
            break
        logits = model.decode(out[-1], cache)
    return out, False


def main(folder, heldout, tokenizer_path, out, share, budget='448', part='0', of='1'):
    model, prompts = load_model(folder), cases.Prompts(tok.load(tokenizer_path))
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
