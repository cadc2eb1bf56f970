"""Logs: always into a rotating file of the data folder, on stderr only when asked for."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler

from app.paths import Paths

_FORMAT = "%(asctime)s %(levelname).1s %(process)d %(threadName)s %(name)s: %(message)s"
_MAX_BYTES = 1_000_000
_OLDER_FILES = 3

log = logging.getLogger(__name__)


def start(paths: Paths, verbosity: int = 0) -> list[logging.Handler]:
    """Send the log to its places.

    Args:
        paths: Whose log file; one that cannot be written is left out, which is not worth failing for.
        verbosity: 0 keeps stderr silent, 1 shows INFO there, 2 DEBUG.

    Returns:
        The handlers, for `stop`.
    """
    handlers: list[logging.Handler] = []
    try:
        paths.log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = RotatingFileHandler(
            paths.log_file, maxBytes=_MAX_BYTES, backupCount=_OLDER_FILES, encoding="utf-8", delay=False
        )
    except OSError:
        pass
    else:
        file.setLevel(logging.DEBUG if verbosity > 1 else logging.INFO)
        handlers.append(file)
    if verbosity and sys.stderr is not None:
        screen = logging.StreamHandler(sys.stderr)
        screen.setLevel(logging.DEBUG if verbosity > 1 else logging.INFO)
        handlers.append(screen)
    # A full disk takes no log either, and Python would say so on stderr for each line of it.
    logging.raiseExceptions = False
    root = logging.getLogger()
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_FORMAT))
        root.addHandler(handler)
    if not handlers:
        # Otherwise Python's last resort prints warnings on stderr, which belongs to the one clear line.
        handlers.append(logging.NullHandler())
        root.addHandler(handlers[0])
    root.setLevel(logging.DEBUG if verbosity > 1 else logging.INFO)
    logging.captureWarnings(True)
    return handlers


def stop(handlers: list[logging.Handler]) -> None:
    """Undo `start`."""
    root = logging.getLogger()
    for handler in handlers:
        root.removeHandler(handler)
        handler.close()
    logging.captureWarnings(False)
