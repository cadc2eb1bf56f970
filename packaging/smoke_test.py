"""Starts a bundle as a new user of a bare machine would: its version, one answer, the window; then quits.

Usage: python packaging/smoke_test.py dist/coterie/coterie
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_TIMEOUT_S = 120.0


def main(program: str) -> None:
    """Raises on the first thing that is not as it should be, a word on stderr included."""
    with tempfile.TemporaryDirectory(prefix="coterie-smoke-") as home:
        environment = {
            "HOME": home,
            "PATH": "/usr/bin:/bin",
            "COTERIE_CACHE_DIR": f"{home}/cache",
            "QT_QPA_PLATFORM": "offscreen",
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": f"{home}/run",
        }
        Path(environment["XDG_RUNTIME_DIR"]).mkdir(mode=0o700)

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [program, *arguments], env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S
            )
            if done.returncode or done.stderr:
                raise SystemExit(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}")
            return done.stdout

        print(run("--version").strip())
        print(run("self-check"))
        if not run("chat", "--temperature", "0", "--max-tokens", "8", "Hello").strip():
            raise SystemExit("the starter has said nothing")
        if "Hello" not in run("conversations", "export", "1", "--format", "markdown"):
            raise SystemExit("the conversation was not kept")
        _open_the_window(program, environment, run)
    print("the bundle works")


def _open_the_window(program: str, environment: dict[str, str], run: Callable[..., str]) -> None:
    """Have it carry out a command, then ask it to end; it has to, without a word."""
    sockets = Path(environment["XDG_RUNTIME_DIR"])
    with subprocess.Popen(
        [program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as window:
        deadline_s = time.monotonic() + _TIMEOUT_S
        while not any(path.is_socket() for path in sockets.rglob("*")):
            if window.poll() is not None or time.monotonic() > deadline_s:
                window.kill()
                raise SystemExit(f"the window did not open:\n{window.communicate()[0]}")
            time.sleep(0.05)
        run("conversations", "list")
        window.send_signal(signal.SIGTERM)
        said, _ = window.communicate(timeout=_TIMEOUT_S)
        if window.returncode or said:
            raise SystemExit(f"the window: {window.returncode}\n{said}")


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).absolute()))
