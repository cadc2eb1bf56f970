# Sourced: what decides whether something compiled from llama.cpp may be used again. Needs `venv`; sets `flags`,
# `lock`, `cache` and `key`: the locked version, the build flags, the compiler and the processor (a build uses
# every instruction of the processor it runs on).

# One flag set everywhere: RPC is a second device for the placement tests and for several machines.
flags="-DGGML_RPC=ON"
lock=packaging/locks/engine.txt
cache=${COTERIE_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/coterie}

_processor=$(sed -n 's/^model name[^:]*: //p; s/^flags[^:]*: //p; s/^Features[^:]*: //p' /proc/cpuinfo 2>/dev/null \
    | sort -u || true)
_python_tag=$("$venv/bin/python" -c 'import sys; print(f"cp{sys.version_info[0]}{sys.version_info[1]}")')
key=$( { cat "$lock" packaging/locks/build.txt; echo "$flags $_python_tag $(uname -m) $_processor"; \
    g++ --version | head -1; } | sha256sum | cut -c1-16)
