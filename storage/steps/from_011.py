"""Steps 11 and on."""

from __future__ import annotations

from sqlite_utils import Database

from storage.steps.registry import migrations


@migrations()
def m011_keep_models(db: Database) -> None:
    """What people and the program note of models: words, how their files looked, when they were used."""
    db.executescript("""
        ALTER TABLE models ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE models ADD COLUMN note TEXT NOT NULL DEFAULT '';
        ALTER TABLE models ADD COLUMN looks TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE models ADD COLUMN verification TEXT;
        ALTER TABLE models ADD COLUMN home TEXT NOT NULL DEFAULT '';
        ALTER TABLE models ADD COLUMN moving TEXT;

        CREATE TABLE model_uses (
            model_name TEXT PRIMARY KEY,
            used_at TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE INDEX generations_by_model_name ON generations (model_name, message_id);
    """)


@migrations()
def m012_order_downloads(db: Database) -> None:
    """The queue's own order; until now it was that of the ids."""
    db.executescript("""
        ALTER TABLE downloads ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
        UPDATE downloads SET position = id;
    """)


@migrations()
def m013_create_origins(db: Database) -> None:
    """Where imported conversations and their messages came from, so that a second import finds them."""
    db.executescript("""
        CREATE TABLE origins (
            conversation_id INTEGER PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
            origin TEXT NOT NULL UNIQUE,
            imported_at TEXT NOT NULL
        ) STRICT;

        CREATE TABLE message_origins (
            message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
            key TEXT NOT NULL
        ) STRICT;
    """)


@migrations()
def m014_note_energy(db: Database) -> None:
    """What the processor took while an answer was made."""
    db.executescript("ALTER TABLE generations ADD COLUMN energy_j REAL;")
