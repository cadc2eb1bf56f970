#!/usr/bin/env bash
# Puts llama.cpp's own programs into the cache unless they are there, and prints their folder. They are compiled
# from the source distribution of the llama-cpp-python that is installed, with the flags of its build: peers for
# `make bench`, and a second device (ggml-rpc-server). Nothing else needs them. Usage: build_tools.sh VENV
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(cd "$1" && pwd)
source packaging/engine_key.sh
folder=$cache/tools/$key
programs="llama-bench llama-batched-bench llama-server ggml-rpc-server"

if [ ! -e "$folder/.complete" ]; then
    echo "Compiling llama.cpp's own programs: about ten minutes on two cores, once." >&2
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    run() { "$@" >>"$work/build.log" 2>&1 \
        || { tail -40 "$work/build.log" >&2; echo "Compiling llama.cpp's programs failed." >&2; exit 1; }; }
    export PATH="$venv/bin:$PATH"
    run "$venv/bin/pip" download --no-deps --no-build-isolation --no-binary llama-cpp-python --require-hashes \
        -r "$lock" -d "$work"
    run tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work"
    # shellcheck disable=SC2086 - the flags are several words
    run cmake -S "$work"/llama_cpp_python-*/vendor/llama.cpp -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DBUILD_SHARED_LIBS=ON -DCMAKE_BUILD_RPATH_USE_ORIGIN=ON $flags -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF
    # shellcheck disable=SC2086
    run cmake --build "$work/build" --parallel "$(nproc)" --target $programs
    mkdir -p "$folder"
    cp -a "$work/build/bin/." "$folder/"
    touch "$folder/.complete"
fi
echo "$folder"
