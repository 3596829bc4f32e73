#!/bin/bash
# Tests and benchmarks on a bare machine with a GPU, from what bench/pack.sh made.
# usage: bench/device.sh FOLDER SECONDS [STEP ...]     writes $OUT/log.txt and $OUT/rows.jsonl
#   FOLDER   holds bundles.tar.xz and some of the parts; parts of earlier calls are remembered
#   SECONDS  for everything; no step begins after that, and the one that runs then is stopped
#   STEP     of those below, in the order given; goldens shapes decode kernels if none is named.
#            'llama vulkan --tokens 1024' is the benchmark "peers" with llama.cpp on Vulkan (or cuda)
set -uo pipefail
cd "$(dirname "$0")/.."
folder=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- goldens shapes decode kernels
end=$((SECONDS + seconds))
out=${OUT:-/tmp/out}
store=${LCKV_DEVICE:-/tmp/lckv-device}
mkdir -p "$out" "$store"

cp "$folder"/part-* .carry-llama/*-part-* "$store" 2>/dev/null
have=$(ls "$store"/part-* 2>/dev/null | wc -l) want=$(cat "$folder/parts")
if [ "$have" -lt "$want" ]; then
  echo "$have of $want parts are here. Send the others in a further call."
  exit 0
fi

unpack() { if command -v xz >/dev/null; then xz -dc; else python3 -c \
  'import lzma,shutil,sys; shutil.copyfileobj(lzma.open(sys.stdin.buffer), sys.stdout.buffer)'; fi; }
[ -x "$store/bin/node" ] || cat "$store"/part-* | unpack | tar -x -C "$store"
mkdir -p node_modules
cp -r "$store/node_modules/." node_modules/
unpack <"$folder/bundles.tar.xz" | tar -x
export PATH="$store/bin:$PATH"

# llama.cpp, if all parts of it have come (bench/pack-llama.sh)
for count in .carry-llama/llama-*-parts; do
  name=$(basename "$count" -parts)
  if [ -f "$count" ] && [ "$(ls "$store/$name"-part-* 2>/dev/null | wc -l)" -eq "$(cat "$count")" ]; then
    mkdir -p "$store/peers"
    [ -f "$store/peers/$name" ] || cat "$store/$name"-part-* | unpack | tar -x -C "$store/peers"
    touch "$store/peers/$name"
  fi
done

icd=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
if [ -f "$icd" ]; then export VK_DRIVER_FILES=$icd; fi
if ! ldconfig -p | grep -q libvulkan; then
  for package in .gl/*.deb; do dpkg -x "$package" /; done
  ldconfig
fi
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
node --version

mocha() { node node_modules/mocha/bin/mocha.js --exit "$@"; }
bench() { node dist/bench/bench.mjs "$@"; }
run() {
  case $1 in
    goldens | shapes | branches | reuse | snapshots | bundled | precision | tuning | resident | matmul | matrices | shortcut) mocha "dist/test/gpu/$1.test.mjs" ;;
    gpu) mocha dist/test/gpu/*.test.mjs ;;
    demo) node dist/lckv.mjs demo ;;
    torch*) python3 bench/peers.py ${1#torch} ;;
    llama*) LD_LIBRARY_PATH=$cuda bench peers --peer "$store/peers" --gpu ${1#llama} ;;
    *) bench $1 ;; # a benchmark, with its options: 'decode --tokens 1024'
  esac
}
# The libraries that PyTorch brings for CUDA are also those of llama.cpp.
cuda=$(python3 -c 'import glob, site
print(":".join(p for s in site.getsitepackages() for p in glob.glob(s + "/nvidia/*/lib")))')
export -f mocha bench run
export store cuda

for step in "$@"; do
  left=$((end - SECONDS))
  if [ "$left" -lt 5 ]; then echo "── $step: no time left" | tee -a "$out/log.txt"; continue; fi
  began=$SECONDS
  echo "── $step (at most $left s)" | tee -a "$out/log.txt"
  timeout -k 5 "$left" bash -c 'run "$@"' run "$step" 2>&1 | tee "$out/last.txt" | grep -v '^{'
  status=${PIPESTATUS[0]}
  cat "$out/last.txt" >>"$out/log.txt"
  grep '^{' "$out/last.txt" >>"$out/rows.jsonl"
  echo "── $step: exit $status after $((SECONDS - began)) s" | tee -a "$out/log.txt"
done
rm -f "$out/last.txt"
