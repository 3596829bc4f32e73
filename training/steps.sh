#!/bin/bash
# The steps of a training run, from the corpus to packed weights. Each may be called again: what is done is kept, what runs is waited for.
# usage: steps.sh receive | check | rows PART | train SECONDS [PATIENCE] | pack OUT | evaluate OUT | pilots M_IDS SECONDS RUN,...
#        | passes OUT M_IDS SECONDS RUN,...
# PARTS: of the corpus. RELEASE: folder of the weights to continue from, with their tokenizer; empty: from scratch, with the tokenizer .work/tokenizer.json.
# EPOCHS: first and last epoch of cursors; those before 26 went into the released weights. FLAGS: more flags of train.py.
# SHARE: of the cases and texts of the evaluation, 1 if not given. FIRST_GPU: those below it are left to other work by `evaluate` and `pilots`.
set -euo pipefail
cd "$(dirname "$0")"
release=${RELEASE-../models/lckv-code-55m}
run=.work/run
tokenizer=${release:-.work}/tokenizer.json
parts=${PARTS:-6} first_gpu=${FIRST_GPU:-0}
heldout=.work/heldout.jsonl.xz
read -r first last <<<"${EPOCHS:-26 33}"

# start NAME COMMAND...: in the background and in a session of its own, so that it outlives its caller
start() {
  mkdir -p "$run"
  setsid "${@:2}" >>"$run/$1.log" 2>&1 </dev/null &
  echo $! >"$run/$1.pid"
}
runs() { [ -f "$run/$1.pid" ] && kill -0 "$(<"$run/$1.pid")" 2>/dev/null; }
stop() { if runs "$1"; then kill -- "-$(<"$run/$1.pid")"; fi; }

gpus() { python3 -c 'import torch; print(torch.cuda.device_count())'; }

# Samples are kept apart in their rows only by a mask that has shown here that it does.
check() {
  python3 test_model.py
  mkdir -p "$run"
  if python3 test_packing.py; then echo works; else echo fails; fi | tee /dev/stderr | tail -n 1 >"$run/mask"
}

# In the background for as long as training goes on: for each part its share of the cores, less what training needs.
rows() {
  local workers=$((($(nproc) - 2 * $(gpus)) / parts))
  workers=$((workers > 1 ? workers : 1))
  if [ ! -f "$run/rows-$1.done" ] && ! runs "rows-$1"; then
    start "rows-$1" bash -c 'python3 data.py "${@:2}" && touch "$1"' - "$run/rows-$1.done" \
      ".work/part$1.jsonl.xz" "$tokenizer" "$run/rows" "part$1" "$first" "$last" "$workers"
  fi
}

# Starts training or goes on with it, and waits for its end, at most PATIENCE seconds.
train() {
  local seconds=$1 patience=${2:-1000000} count launch=(python3)
  if [ ! -f "$run/final.pt" ] && ! runs train; then
    count=$(gpus)
    [ "$count" -lt 2 ] || launch=(python3 -m torch.distributed.run --standalone --nproc_per_node "$count")
    [ -f "$run/mask" ] || check
    [ "$(<"$run/mask")" = works ] || FLAGS="${FLAGS:-} --unmasked"
    # shellcheck disable=SC2086
    start train "${launch[@]}" train.py "$run/rows" "$run" "$seconds" ${release:+--from "$release"} ${FLAGS:-}
  fi
  while [ ! -f "$run/final.pt" ] && runs train && [ "$SECONDS" -lt "$patience" ]; do sleep 1; done
  tail -n 3 "$run/train.log" "$run/train.jsonl" || true
  if [ -f "$run/final.pt" ]; then
    for ((part = 1; part <= parts; part++)); do stop "rows-$part"; done
  else
    runs train || { echo 'training has stopped before its end'; tail -n 40 "$run/train.log"; return 1; }
  fi
}

pack() {
  mkdir -p "$1"
  python3 export.py pack "$run/final.pt" "$1"
  cp "$run/train.jsonl" "$1/"
}

# The new weights and, on lines, those they continue from; the latter alone, in all respects, where nothing was trained. One process a GPU at a
# time, of two minutes; each takes the next job. What they write goes to OUT at once, so that it is there if the call is cut.
evaluate() {
  local jobs=() count newest=-
  [ ! -f "$run/final.pt" ] || newest=$run/final.pt jobs=("old - lines lines-alone")
  jobs=("new $newest lines" "alone $newest lines-alone" "rest $newest heldout lines-before blocks passes formats" "${jobs[@]}")
  count=$(($(gpus) - first_gpu))
  mkdir -p "$1" "$run"
  evaluate_one() {
    local name=$2 checkpoint=$3
    [ "$checkpoint" != - ] || checkpoint=$release
    CUDA_VISIBLE_DEVICES=$(($1 + first_gpu)) python3 evaluate.py "$checkpoint" "$heldout" "$tokenizer" "$4/$name" "${SHARE:-1}" "${@:5}" >"$run/$name.log" 2>&1 ||
      { echo "$name:"; tail -n 20 "$run/$name.log"; }
  }
  for ((gpu = 0; gpu < count; gpu++)); do
    for ((i = gpu; i < ${#jobs[@]}; i += count)); do
      read -ra job <<<"${jobs[i]}"
      evaluate_one "$gpu" "${job[0]}" "${job[1]}" "$1" "${job[@]:2}"
    done &
  done
  wait
  tail -qn 3 "$run"/{new,alone,rest,old}.log 2>/dev/null || true
}

# Waits for all rows.
rows_made() {
  for ((part = 1; part <= parts; part++)); do
    while [ ! -f "$run/rows-$part.done" ] && runs "rows-$part"; do sleep 1; done
    [ -f "$run/rows-$part.done" ] || { echo "part $part has no rows"; tail -n 20 "$run/rows-$part.log"; return 1; }
  done
}

# In the background, as soon as all rows are there: the runs of pilot.py in turn to the GPUs, each GPU one after the other.
pilots() {
  local runs count
  IFS=, read -ra runs <<<"$3"
  count=$(($(gpus) - first_gpu))
  rows_made
  for ((gpu = 0; gpu < count; gpu++)); do
    local mine=
    for ((i = gpu; i < ${#runs[@]}; i += count)); do mine+=${mine:+,}${runs[i]}; done
    [ -z "$mine" ] || CUDA_VISIBLE_DEVICES=$((gpu + first_gpu)) start "pilot-$gpu" \
      python3 pilot.py "$run/rows" "$heldout" "$tokenizer" "$run/pilot.jsonl" "$1" "$2" "$mine"
  done
}

# All in one call on one GPU: the rows of all parts, then the runs of pilot.py one after the other, and how many passes their prefill needs.
# Figures go to OUT at once, so that they are there if the call is cut, and the weights that settle soonest as a release.
passes() {
  for ((part = 1; part <= parts; part++)); do rows "$part"; done
  rows_made
  tail -qn 1 "$run"/rows-*.log
  python3 pilot.py "$run/rows" "$heldout" "$tokenizer" "$1/pilot.jsonl" "$2" "$3" "$4" "$1/release" 2>&1 | tee "$1/pilot.log"
}

step=${1:?step}
case $step in
  receive) ;; # what came is there: device.sh
  check | rows | train | pack | evaluate | pilots | passes) "$step" "${@:2}" ;;
  *) echo "no such step: $step" >&2; exit 2 ;;
esac
