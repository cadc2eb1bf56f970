"""What is done for a person's conversations without being asked: emptying the trash, making backups."""

from __future__ import annotations

import logging
import threading
from typing import Final

from app.services import Services
from storage.backups import Backups
from storage.errors import StorageError

log = logging.getLogger(__name__)

_NAME: Final = "upkeep"
_EVERY_S: Final = 3600.0


def look_after(services: Services, ended: threading.Event, every_s: float = _EVERY_S) -> threading.Thread:
    """Do what is due now and again later, on a thread of its own; for programs that stay.

    The backup has a connection of its own, so the window waits for nothing.

    Args:
        services: Whose database.
        ended: Set when the program ends; then the thread does.
        every_s: Between two looks at what is due. It is counted without the time that the machine sleeps.
    """

    def run() -> None:
        while _do_what_is_due(services) and not ended.wait(every_s):
            pass

    thread = threading.Thread(target=run, name=_NAME, daemon=True)
    thread.start()
    return thread


def empty_trash(services: Services) -> int:
    """Delete for good what has lain in the trash for `trash_days`; returns how many conversations."""
    days = int(services.setting("trash_days"))
    if days <= 0:
        return 0
    gone = services.storage.call(lambda store: store.trash.empty(days))
    for conversation_id in gone:
        services.forget_conversation(conversation_id)
    return len(gone)


def _do_what_is_due(services: Services) -> bool:
    """False when the program has ended meanwhile."""
    try:
        n_gone = empty_trash(services)
        if n_gone:
            log.info("%d conversations left the trash for good", n_gone)
        made = Backups(services.paths.database).create_if_due(
            int(services.setting("backup_every_days")), int(services.setting("backups_kept"))
        )
        if made is not None:
            log.info("backed up to %s", made)
    except (StorageError, OSError) as error:
        # A full disk, mostly. What is written next says so to the person; `doctor` tells of old backups.
        log.info("upkeep failed: %s", error)
    except RuntimeError:
        log.debug("the program ended before its upkeep")
        return False
    return True
