#!/usr/bin/env bash
# Puts a wheel of the pinned llama-cpp-python into the cache unless it is there, and prints its path.
# Usage: build_engine.sh VENV
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
source packaging/engine_key.sh
folder=$cache/wheels/$key
find_wheel() { find "$folder" -name 'llama_cpp_python-*.whl' 2>/dev/null | head -1; }

if [ -z "$(find_wheel)" ]; then
    echo "Compiling llama.cpp for this processor: about five minutes on two cores, once." >&2
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    CMAKE_ARGS="$flags" PATH="$venv/bin:$PATH" "$venv/bin/pip" wheel --no-deps --no-build-isolation --no-cache-dir \
        --no-binary llama-cpp-python --require-hashes -r "$lock" -w "$work" >"$work/build.log" 2>&1 \
        || { tail -40 "$work/build.log" >&2; echo "Compiling llama.cpp failed." >&2; exit 1; }
    mkdir -p "$folder"
    mv "$work"/llama_cpp_python-*.whl "$folder/"
fi
find_wheel
