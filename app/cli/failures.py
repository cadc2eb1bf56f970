"""What a command that failed says, and the exit code it ends with."""

from __future__ import annotations

import json
import logging

from app.cli.output import printable
from app.console import Console
from app.errors import AppError, BadUsage, Interrupted
from app.words import sentence
from model_manager.errors import LoadFailed, ModelManagerError
from storage.errors import StorageError

log = logging.getLogger(__name__)

FAILED = 1
USAGE = 2
INTERRUPTED = 130


def report(error: BaseException, console: Console, *, as_json: bool = False) -> int:
    """Say an error on stderr; returns the exit code. What is our own mistake is logged with its trace."""
    if isinstance(error, Interrupted | KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BadUsage):
        console.err(f"{error}\n")
        return USAGE
    if not isinstance(error, ModelManagerError | StorageError | AppError | OSError):
        log.error("command failed", exc_info=error)
    else:
        log.info("command failed: %s: %s", type(error).__name__, error)  # the sentence leaves the details out
    text = sentence(error)
    if as_json:
        facts = {"type": "error", "error": type(error).__name__, "message": text, "detail": str(error)}
        console.out(json.dumps(facts) + "\n")
    if isinstance(error, LoadFailed):  # the window has a button for the details
        text = f"{text} ({printable(' '.join(error.reason.split()))})"
    console.err(f"coterie: {text}\n")
    return FAILED
