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


@migrations()
def m015_create_knowledge(db: Database) -> None:
    """Collections of documents, their passages and vectors; the passages that a question was sent with.

    Vectors are plain blobs and not a table of an extension, so that every tool can open the file.
    """
    db.executescript("""
        CREATE TABLE collections (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE,
            created_at TEXT NOT NULL,
            embedding_model TEXT,
            embedding_sha256 TEXT,
            n_dimensions INTEGER
        ) STRICT;

        CREATE TABLE sources (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            UNIQUE (collection_id, path)
        ) STRICT;

        CREATE TABLE documents (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            source_id INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            kind TEXT,
            title TEXT NOT NULL,
            size_bytes INTEGER NOT NULL,
            modified_ns INTEGER NOT NULL,
            sha256 TEXT,
            reader_version INTEGER NOT NULL,
            refused TEXT,
            indexed_at TEXT NOT NULL,
            UNIQUE (source_id, path)
        ) STRICT;

        CREATE TABLE passages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
            position INTEGER NOT NULL CHECK (position >= 0),
            headings TEXT NOT NULL,
            page INTEGER,
            line INTEGER,
            line_end INTEGER,
            text TEXT NOT NULL,
            UNIQUE (document_id, position)
        ) STRICT;

        CREATE TABLE vectors (
            passage_id INTEGER PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE,
            collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
            data BLOB NOT NULL
        ) STRICT;
        CREATE INDEX vectors_by_collection_id ON vectors (collection_id, passage_id);

        CREATE VIRTUAL TABLE search_passages USING fts5 (
            text, headings, content = '', tokenize = 'unicode61 remove_diacritics 2'
        );

        CREATE TABLE citations (
            id INTEGER PRIMARY KEY,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            number INTEGER NOT NULL CHECK (number > 0),
            collection TEXT NOT NULL,
            path TEXT NOT NULL,
            title TEXT NOT NULL,
            headings TEXT NOT NULL,
            page INTEGER,
            line INTEGER,
            line_end INTEGER,
            text TEXT NOT NULL,
            UNIQUE (message_id, number)
        ) STRICT;
    """)
