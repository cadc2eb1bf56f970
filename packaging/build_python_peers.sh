#!/usr/bin/env bash
# Puts an environment with the programs of packaging/locks/NAME.txt into the cache unless it is there, and prints its
# interpreter: peers for `make bench`, never used by the program itself. Usage: build_python_peers.sh VENV NAME
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
name=$2
cache=${COTERIE_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/coterie}
folder=$cache/peers/$name-$(sha256sum "packaging/locks/$name.txt" | cut -c1-16)
if [ ! -e "$folder/.complete" ]; then
    rm -rf "$folder"
    "$venv/bin/python" -m venv "$folder" >&2
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        -r "packaging/locks/$name.txt" >&2
    touch "$folder/.complete"
fi
echo "$folder/bin/python"
