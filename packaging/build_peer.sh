#!/usr/bin/env bash
# Puts an environment with the server of llama-cpp-python into the cache unless it is there, and prints its
# interpreter: a peer for `make bench`. It gets the very wheel that is installed in VENV.
# Usage: build_peer.sh VENV
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
source packaging/engine_key.sh
folder=$cache/peers/$key-$(sha256sum packaging/locks/peer.txt | cut -c1-8)
if [ ! -e "$folder/.complete" ]; then
    rm -rf "$folder"
    "$venv/bin/python" -m venv "$folder" >&2
    install() { "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$@" >&2; }
    install --require-hashes -r packaging/locks/peer.txt
    install --no-index "$(bash packaging/build_engine.sh "$venv")"
    touch "$folder/.complete"
fi
echo "$folder/bin/python"
