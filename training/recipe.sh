#!/bin/bash
# The whole recipe, in order, on one machine with a GPU, PyTorch, tokenizers, safetensors and numpy. Run again after a stop: what is there is kept.
# usage: recipe.sh SECONDS_OF_TRAINING [RELEASE_DIR]      with RELEASE_DIR: continues from its weights, with its tokenizer
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?seconds of training} release=${2:-}
work=.work/run
model=../models/lckv-code-42m
fixtures=../test/fixtures/bundled
tokenizer=$work/tokenizer.json
heldout=.work/heldout.jsonl.xz
mkdir -p "$work/rows" "$work/out"

python3 test_model.py
python3 corpus.py fetch
[ -f .work/part3.jsonl.xz ] || python3 corpus.py build
if [ ! -f "$tokenizer" ]; then
  if [ -n "$release" ]; then cp "$release/tokenizer.json" "$tokenizer"; else python3 tokenizer.py train .work/part1.jsonl.xz "$tokenizer"; fi
fi
python3 tokenizer.py cases "$heldout" "$tokenizer" "$fixtures/tokenizer-cases.json" 64

# rows of the first part first, the others while training runs
rows() {
  [ -f "$work/rows/done-$1-$2" ] || { python3 data.py ".work/part$1.jsonl.xz" "$tokenizer" "$work/rows" "part$1" "$2" "$2" "$3"; touch "$work/rows/done-$1-$2"; }
}
if [ ! -f "$work/final.pt" ]; then
  rows 1 0 "$(nproc)"
  (for part in '2 0' '3 0' '1 1' '2 1' '3 1'; do rows $part "$(($(nproc) - 4))"; done) &
  python3 train.py "$work/rows" "$work" "$seconds" ${release:+--from "$release"}
  wait
fi

python3 evaluate.py "$work/final.pt" "$heldout" "$tokenizer" "$work/out"
[ -f "$work/ngram.jsonl" ] || python3 ngram.py .work/part1.jsonl.xz,.work/part2.jsonl.xz,.work/part3.jsonl.xz "$heldout" "$tokenizer" "$work/ngram.jsonl"
(cd .. && python3 training/score.py "training/$heldout" "training/$work/out/completions.jsonl" "training/$work/ngram.jsonl")
python3 pilot.py "$work/rows" "$heldout" "$tokenizer" "$work/out/pilot.jsonl" 40 600

python3 export.py pack "$work/final.pt" "$work/out"
cp "$tokenizer" "$work/out/"
python3 export.py assemble "$work/out" "$model"
python3 golden.py prompts "$heldout" "$tokenizer" "$fixtures"
python3 golden.py answers "$model" "$fixtures"
