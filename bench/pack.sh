#!/bin/bash
# Packs what bench/device.sh needs on a bare Linux machine with a GPU: this machine's node, the Dawn
# binding, mocha and the built bundles, compressed and cut into parts.
# usage: bench/pack.sh FOLDER [PART_MIB]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 part_mib=${2:-8}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$folder" "$work/bin" "$work/node_modules/webgpu/dist/linux-x64"

# Node and Dawn rarely change and take two minutes to compress: kept from one packing to the next.
binaries=$folder/binaries.tar.xz
if [ ! -f "$binaries" ]; then
  strip -o "$work/bin/node" "$(readlink -f "$(command -v node)")"
  chmod +x "$work/bin/node"
  dawn=node_modules/webgpu/dist/linux-x64/dawn.node
  strip --strip-unneeded -o "$work/$dawn" "$dawn"
  tar -C "$work" -c bin node_modules | xz --x86 --lzma2=preset=9e,dict=128MiB >"$binaries"
fi

# The packages that mocha loads, read from the lock file.
packages=$(node -e '
  const { packages } = require("./package-lock.json");
  const found = new Set();
  const visit = (name, from) => {
    const places = [];
    for (let at = from; ; at = at.replace(/\/?node_modules\/(@[^/]+\/)?[^/]+$/, "")) {
      places.push((at ? at + "/" : "") + "node_modules/" + name);
      if (at === "") break;
    }
    const path = places.find((place) => packages[place]);
    if (!path || found.has(path)) return;
    found.add(path);
    for (const need of Object.keys(packages[path].dependencies ?? {})) visit(need, path);
  };
  visit("mocha", "");
  console.log([...found].join("\n"));
')
# shellcheck disable=SC2086
tar -c --exclude='*.map' --exclude='*.d.ts' --exclude='dist/vscode-suite' --exclude='dist/test/vscode' \
  --exclude='mocha/mocha*.js' dist node_modules/webgpu/index.js node_modules/webgpu/package.json \
  $packages | xz -6 >"$folder/bundles.tar.xz"

rm -f "$folder"/part-*
split -b "${part_mib}M" -d "$binaries" "$folder/part-"
(cd "$folder" && ls part-* | wc -l >parts && ls -l)
