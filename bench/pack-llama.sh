#!/bin/bash
# Packs llama.cpp for bench/device.sh: node-llama-cpp with its prebuilt Vulkan and CUDA libraries, in
# parts that travel beside those of bench/pack.sh. Of the CUDA code only one GPU's stays (if that is PTX,
# it is compiled there at the first run).
# usage: bench/pack-llama.sh FOLDER PEER [PART_MIB [ARCH]]
#   PEER   where node-llama-cpp is installed, of a version whose CUDA code the driver there takes: 3.14.5 for
#          driver 580 (it has machine code for sm_90; 3.22.1 has PTX, which that driver refuses). The parts
#          named vulkan hold what both need.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mkdir -p "$1" && cd "$1" && pwd) peer=$2 part_mib=${3:-15} arch=${4:-90}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
builds=node_modules/@node-llama-cpp
processors='libggml-cpu-(alderlake|cannonlake|cascadelake|cooperlake|icelake|ivybridge|piledriver|sandybridge|sse42)'

(
  cd "$peer"
  find package.json node_modules -type f -not -path "$builds/*" -not -name '*.map' \
    -not -name '*.d.ts' -not -name gitRelease.bundle -not -path '*/llama/*.[ch]*'
  find $builds/linux-x64-vulkan $builds/linux-x64-cuda -type f | grep -vE "$processors"
) >"$work/all"
tar -C "$peer" -c -T "$work/all" | tar -x -C "$work"
python3 bench/prune.py "$work/$builds/linux-x64-cuda/bins/linux-x64-cuda/libggml-cuda.so" "$arch"

pack() {
  tar -C "$work" -c -T "$work/$1" | xz --lzma2=preset=6e,dict=192MiB >"$work/archive"
  rm -f "$folder/$1"-part*
  split -b "${part_mib}M" -d "$work/archive" "$folder/$1-part-"
  ls "$folder/$1"-part-* | wc -l >"$folder/$1-parts"
}
grep -v linux-x64-cuda "$work/all" >"$work/llama-vulkan"
grep linux-x64-cuda "$work/all" >"$work/llama-cuda"
pack llama-vulkan
pack llama-cuda
ls -l "$folder"
