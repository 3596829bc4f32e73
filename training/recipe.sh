#!/bin/bash
# The whole recipe, in order, on one machine with GPUs, PyTorch, tokenizers, safetensors and numpy. Run again after a stop: what is there is kept.
# usage: recipe.sh SECONDS_OF_TRAINING [RELEASE_DIR]      with RELEASE_DIR: continues from its weights, with its tokenizer
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?seconds of training}
export RELEASE=${2:-}
run=.work/run
model=../models/lckv-code-55m
fixtures=../test/fixtures/bundled
tokenizer=${RELEASE:-.work}/tokenizer.json
heldout=.work/heldout.jsonl.xz

python3 corpus.py fetch
[ -f .work/part6.jsonl.xz ] || python3 corpus.py build
[ -f "$tokenizer" ] || python3 tokenizer.py train .work/part1.jsonl.xz "$tokenizer"
python3 tokenizer.py cases "$heldout" "$tokenizer" "$fixtures/tokenizer-cases.json" 64

bash steps.sh check
for part in 1 2 3 4 5 6; do bash steps.sh rows "$part"; done
bash steps.sh train "$seconds"
bash steps.sh pack "$run/out"
bash steps.sh evaluate "$run/out"

[ -f "$run/ngram.jsonl" ] || python3 ngram.py .work/part1.jsonl.xz,.work/part2.jsonl.xz,.work/part3.jsonl.xz "$heldout" "$tokenizer" "$run/ngram.jsonl"
(cd .. && python3 training/score.py "training/$heldout" "training/$run/out/new/completions.jsonl" "training/$run/out/alone/completions.jsonl" "training/$run/ngram.jsonl")
[ -f "$run/out/pilot.jsonl" ] || python3 pilot.py "$run/rows" "$heldout" "$tokenizer" "$run/out/pilot.jsonl" 40 600

cp "$tokenizer" "$run/out/"
python3 export.py assemble "$run/out" "$model"
python3 shortcut.py fit "$model" .work/part1.jsonl.xz 5
python3 shortcut.py measure "$model" "$heldout"
python3 golden.py prompts "$heldout" "$tokenizer" "$fixtures"
python3 golden.py answers "$model" "$fixtures"
