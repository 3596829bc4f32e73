#!/bin/bash
# The whole recipe, in order, on one machine with a GPU, PyTorch, tokenizers, safetensors and numpy.
# usage: recipe.sh [SECONDS_OF_TRAINING]
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-1080}
work=.work/run
model=../models/lckv-code-42m
fixtures=../test/fixtures/bundled
mkdir -p "$work/rows" "$work/out"

python3 test_model.py
python3 corpus.py fetch
python3 corpus.py build 2
python3 tokenizer.py train .work/part1.jsonl.xz "$work/tokenizer.json"
python3 tokenizer.py cases .work/heldout.jsonl.xz "$work/tokenizer.json" "$fixtures/tokenizer-cases.json" 64
(cd .work/js && node ../../check-tokenizer.mjs ../run/tokenizer.json "../../$fixtures/tokenizer-cases.json")

# rows of the first epoch first, the later ones while training runs
python3 data.py .work/part1.jsonl.xz "$work/tokenizer.json" "$work/rows" a 0 0 "$(nproc)"
(
  for epochs in '0 0 b 2' '1 3 a 1' '1 3 b 2'; do
    set -- $epochs
    nice python3 data.py ".work/part$4.jsonl.xz" "$work/tokenizer.json" "$work/rows" "$3" "$1" "$2" 12
  done
) &
python3 train.py "$work/rows" "$work" "$seconds"
wait

python3 evaluate.py "$work/final.pt" .work/heldout.jsonl.xz "$work/tokenizer.json" "$work/out/results.json"
python3 export.py pack "$work/final.pt" "$work/out"
cp "$work/tokenizer.json" "$work/out/"
python3 export.py assemble "$work/out" "$model"
python3 golden.py prompts .work/heldout.jsonl.xz "$work/tokenizer.json" "$fixtures"
python3 golden.py answers "$model" "$fixtures"
