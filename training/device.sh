#!/bin/bash
# A step of a training run on a lent machine to which a copy of the repository is sent with each call, in part (DEVICE.md).
# What has come with this call moves to a folder that later calls leave alone; the step is done there. usage: device.sh STEP... (steps.sh)
set -euo pipefail
cd "$(dirname "$0")/.."
home=${LCKV_HOME:-/tmp/lckv}
mkdir -p "$home/training/.work" "$home/models"

# receive FILE: under its name only when it is whole, as something may wait for it
receive() {
  if [ -f "$1" ] && ! cmp -s "$1" "$home/$1"; then
    mkdir -p "$(dirname "$home/$1")"
    cp "$1" "$home/$1.part"
    mv "$home/$1.part" "$home/$1"
  fi
}

for file in training/*.py training/*.sh training/.work/*.jsonl.xz training/.work/release/* models/lckv-code-*/*; do receive "$file"; done
exec bash "$home/training/steps.sh" "$@"
