"""llama.cpp's own programs, compiled from the source of the installed binding; peers to measure against.

Prints the folder that holds them, after compiling them if need be (`packaging/build_tools.sh`).
`COTERIE_LLAMA_TOOLS` names a folder that has them already.

    python -m benchmarks.llama_tools
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


@functools.cache
def folder() -> Path:
    """Where llama-bench, llama-batched-bench, llama-server and ggml-rpc-server are."""
    if given := os.environ.get("COTERIE_LLAMA_TOOLS"):
        return Path(given)
    script = ROOT / "packaging" / "build_tools.sh"
    built = subprocess.run(["bash", script, sys.prefix], stdout=subprocess.PIPE, text=True, check=True)
    return Path(built.stdout.strip())


def program(name: str) -> str:
    """Path of one of them."""
    return str(folder() / name)


if __name__ == "__main__":
    print(folder())
