"""Lends this machine's processor to models of other processes, by llama.cpp's RPC; for tests and trials.

    coterie rpc-server 127.0.0.1:PORT [THREADS]

Only on this machine: the protocol has no authentication. On another one, run llama.cpp's `ggml-rpc-server`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model_manager.hosts import is_loopback


def main(argv: Sequence[str]) -> int:
    """Serve until the process is ended; returns only when it cannot."""
    endpoint = argv[0] if argv else ""
    if not is_loopback(endpoint.rpartition(":")[0]):
        sys.stderr.write("rpc-server: an address of this machine is needed, as 127.0.0.1:50052\n")
        return 2
    from model_manager.engine.llama import hardware  # loads the native library

    hardware.serve_rpc(endpoint, int(argv[1]) if len(argv) > 1 else 1)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
