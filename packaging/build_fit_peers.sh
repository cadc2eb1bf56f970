#!/usr/bin/env bash
# Puts an environment with other programs that forecast memory (moe-fit, hf-mem) into the cache unless it is there,
# and prints its interpreter: peers for `make bench`, never used by the program itself.
# Usage: build_fit_peers.sh VENV
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
cache=${COTERIE_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/coterie}
folder=$cache/peers/fit-$(sha256sum packaging/locks/fit_peers.txt | cut -c1-16)
if [ ! -e "$folder/.complete" ]; then
    rm -rf "$folder"
    "$venv/bin/python" -m venv "$folder" >&2
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        -r packaging/locks/fit_peers.txt >&2
    touch "$folder/.complete"
fi
echo "$folder/bin/python"
