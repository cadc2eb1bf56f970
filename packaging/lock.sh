#!/usr/bin/env bash
# Rewrites the lock files from pyproject.toml and build.in. Needs `uv` on PATH. Run by a maintainer who
# wants newer versions; nobody else needs it. The lock files carry hashes and name no registry host.
set -euo pipefail
cd "$(dirname "$0")/.."
locks=packaging/locks
compile() { uv pip compile -q --generate-hashes --no-header --no-emit-index-url --no-annotate \
    --python-version 3.11 "$@"; }

compile --allow-unsafe $locks/build.in -o $locks/build.txt
# llama-cpp-python is compiled by build_engine.sh and installed from there; pip is in build.txt.
compile --allow-unsafe --no-emit-package llama-cpp-python --no-emit-package pip pyproject.toml -o $locks/runtime.txt
compile --allow-unsafe --no-emit-package llama-cpp-python --no-emit-package pip --extra dev -c $locks/runtime.txt \
    pyproject.toml -o $locks/dev.txt
compile --allow-unsafe -c $locks/dev.txt $locks/bundle.in -o $locks/bundle.txt
compile --no-deps $locks/engine.in -o $locks/engine.txt
compile --no-deps $locks/starter.in -o $locks/starter.txt
compile $locks/peer.in -o $locks/peer.txt
compile -c $locks/runtime.txt $locks/fit_peers.in -o $locks/fit_peers.txt
compile --allow-unsafe $locks/llm.in -o $locks/llm.txt
