"""Every schema that the database has had, as steps from nothing to today.

The steps are in `storage.steps`. Append-only: a released step is never edited, because files in the field
have already taken it. A step is self-contained: it imports nothing of ours, or old history would change with
today's code. `docs/database.md` describes the result for people who query the file. No CHECK uses a JSON
function: SQLite before 3.41 refuses those while `trusted_schema` is off, and so does no view.
`Conversations.verify` looks at the JSON instead.

The schema's version, `PRAGMA user_version`, is the number of steps taken.
"""

from __future__ import annotations

from sqlite_utils import Database

from storage.steps import from_001, from_011, from_016  # in this order
from storage.steps.registry import migrations

__all__ = ["APPLICATION_ID", "from_001", "from_011", "from_016", "known_steps", "migrations"]

# "Cote" in ASCII; tells `file` and us whose database this is.
APPLICATION_ID = 0x436F7465


def known_steps() -> list[str]:
    """Names of all steps, the oldest first: those that an empty database still has before it."""
    with Database(memory=True, execute_plugins=False) as empty:
        return [step.name for step in migrations.pending(empty)]
