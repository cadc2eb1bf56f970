"""Programs in Python to measure against, each in an environment of its own."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

_SCRIPT = Path(__file__).parent.parent / "packaging" / "build_python_peers.sh"


@functools.cache
def interpreter(name: str) -> str:
    """The interpreter of the environment with what `packaging/locks/NAME.txt` lists; made on first use."""
    environment = Path(sys.executable).parent.parent
    done = subprocess.run(
        ["bash", str(_SCRIPT), str(environment), name], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()
