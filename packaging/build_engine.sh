#!/usr/bin/env bash
# Puts a wheel of the pinned llama-cpp-python into the cache unless it is there, and prints its path.
#
# The cache is keyed by the locked version, the build flags, the compiler and the processor (the build uses
# every instruction of the processor it runs on). Usage: build_engine.sh VENV
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
# One flag set everywhere: RPC is a second device for the placement tests and for several machines.
flags="-DGGML_RPC=ON"
lock=packaging/locks/engine.txt

processor=$(sed -n 's/^model name[^:]*: //p; s/^flags[^:]*: //p; s/^Features[^:]*: //p' /proc/cpuinfo 2>/dev/null \
    | sort -u || true)
python_tag=$("$venv/bin/python" -c 'import sys; print(f"cp{sys.version_info[0]}{sys.version_info[1]}")')
key=$( { cat "$lock" packaging/locks/build.txt; echo "$flags $python_tag $(uname -m) $processor"; \
    g++ --version | head -1; } | sha256sum | cut -c1-16)
folder=${COTERIE_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/coterie}/wheels/$key
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
