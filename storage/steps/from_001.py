"""Steps 1 to 10."""

from __future__ import annotations

import hashlib

from sqlite_utils import Database

from storage.steps.registry import migrations


@migrations()
def m001_create_conversations(db: Database) -> None:
    """Conversations as append-only trees, and the index of their text.

    The composite foreign keys keep a parent, and the head, inside the conversation. AUTOINCREMENT: an id that
    was deleted is never given again, since windows and scripts may still hold it.
    """
    db.executescript("""
        CREATE TABLE conversations (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            title TEXT NOT NULL,
            title_is_automatic INTEGER NOT NULL CHECK (title_is_automatic IN (0, 1)),
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            model_name TEXT,
            system_prompt TEXT NOT NULL,
            sampling TEXT NOT NULL,
            head_id INTEGER,
            FOREIGN KEY (head_id, id) REFERENCES messages (id, conversation_id)
        ) STRICT;
        CREATE INDEX conversations_by_updated_at ON conversations (updated_at, id);
        CREATE INDEX conversations_by_head_id ON conversations (head_id);

        CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            parent_id INTEGER CHECK (parent_id < id),
            role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
            status TEXT NOT NULL CHECK (status IN ('complete', 'streaming', 'interrupted', 'failed')),
            created_at TEXT NOT NULL,
            UNIQUE (id, conversation_id),
            FOREIGN KEY (parent_id, conversation_id) REFERENCES messages (id, conversation_id)
        ) STRICT;
        CREATE INDEX messages_by_conversation_id ON messages (conversation_id, parent_id);
        CREATE INDEX messages_by_parent_id ON messages (parent_id, conversation_id);
        CREATE INDEX messages_streaming ON messages (id) WHERE status = 'streaming';

        CREATE TABLE parts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL CHECK (position >= 0),
            kind TEXT NOT NULL CHECK (kind IN ('text', 'reasoning')),
            text TEXT NOT NULL,
            UNIQUE (message_id, position)
        ) STRICT;

        CREATE TABLE chunks (
            id INTEGER PRIMARY KEY,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL CHECK (position >= 0),
            kind TEXT NOT NULL CHECK (kind IN ('text', 'reasoning')),
            text TEXT NOT NULL
        ) STRICT;
        CREATE INDEX chunks_by_message_id ON chunks (message_id, position, id);

        CREATE TABLE generations (
            message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
            model_name TEXT NOT NULL,
            model_sha256 TEXT,
            engine TEXT NOT NULL,
            parameters TEXT NOT NULL,
            prompt_tokens INTEGER,
            cached_tokens INTEGER,
            completion_tokens INTEGER,
            reasoning_tokens INTEGER,
            ttft_ms REAL,
            prefill_tokens_per_s REAL,
            decode_tokens_per_s REAL,
            reasoning_ms REAL,
            stop_reason TEXT,
            error TEXT,
            started_at TEXT NOT NULL,
            ended_at TEXT
        ) STRICT;

        CREATE VIRTUAL TABLE search USING fts5 (
            text, reasoning, content = '', prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
        );
    """)


@migrations()
def m002_create_settings(db: Database) -> None:
    """What a person has set; what is not here has its declared default."""
    db.executescript("""
        CREATE TABLE settings (
            key TEXT PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
    """)


@migrations()
def m003_create_models(db: Database) -> None:
    """The library's entries and the downloads that feed it."""
    db.executescript("""
        CREATE TABLE models (
            name TEXT PRIMARY KEY,
            paths TEXT NOT NULL,
            size_bytes INTEGER NOT NULL,
            sha256 TEXT,
            source TEXT NOT NULL,
            is_ours INTEGER NOT NULL CHECK (is_ours IN (0, 1)),
            chat_template TEXT,
            info TEXT NOT NULL,
            added_at TEXT NOT NULL
        ) STRICT;

        CREATE TABLE downloads (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            ref TEXT NOT NULL,
            name TEXT NOT NULL,
            status TEXT NOT NULL,
            plan TEXT NOT NULL,
            error TEXT,
            added_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        ) STRICT;
    """)


@migrations()
def m004_create_traces(db: Database) -> None:
    """Arrays beside a message: the ids of its tokens, what its experts were. Compressed, never searched."""
    db.executescript("""
        CREATE TABLE traces (
            id INTEGER PRIMARY KEY,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            dtype TEXT NOT NULL,
            shape TEXT NOT NULL,
            data BLOB NOT NULL,
            UNIQUE (message_id, kind)
        ) STRICT;
    """)


@migrations()
def m005_create_images(db: Database) -> None:
    """Images that were sent with a message, as the files they were."""
    db.executescript("""
        CREATE TABLE images (
            id INTEGER PRIMARY KEY,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            name TEXT NOT NULL,
            data BLOB NOT NULL,
            UNIQUE (message_id, position)
        ) STRICT;
    """)


@migrations()
def m006_organize_conversations(db: Database) -> None:
    """Folders, tags, pins, archive and trash; ratings of answers; the library of prompts.

    A folder is its whole path ("Work/Models"), so that there are no cycles and no recursion to find what lies
    below one. No column is filled for what was there: all of it lies outside folders, and none is deleted.
    """
    db.executescript("""
        CREATE TABLE folders (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            path TEXT NOT NULL UNIQUE COLLATE NOCASE,
            created_at TEXT NOT NULL
        ) STRICT;

        ALTER TABLE conversations ADD COLUMN folder_id INTEGER
            REFERENCES folders (id) ON DELETE SET NULL;
        ALTER TABLE conversations ADD COLUMN is_pinned INTEGER NOT NULL DEFAULT 0
            CHECK (is_pinned IN (0, 1));
        ALTER TABLE conversations ADD COLUMN archived_at TEXT;
        ALTER TABLE conversations ADD COLUMN deleted_at TEXT;
        CREATE INDEX conversations_by_folder_id ON conversations (folder_id);
        CREATE INDEX conversations_listed ON conversations (is_pinned, updated_at, id)
            WHERE archived_at IS NULL AND deleted_at IS NULL;
        CREATE INDEX conversations_in_trash ON conversations (deleted_at) WHERE deleted_at IS NOT NULL;

        CREATE TABLE tags (
            conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            name TEXT NOT NULL COLLATE NOCASE,
            PRIMARY KEY (conversation_id, name)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX tags_by_name ON tags (name, conversation_id);

        CREATE TABLE ratings (
            message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
            rating INTEGER NOT NULL CHECK (rating IN (-1, 1)),
            rated_at TEXT NOT NULL
        ) STRICT;

        CREATE TABLE prompts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE COLLATE NOCASE,
            text TEXT NOT NULL,
            model_name TEXT,
            sampling TEXT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        ) STRICT;
    """)


@migrations()
def m007_note_how_answers_were_made(db: Database) -> None:
    """How the model was loaded, its template, and what ended the thinking.

    The budget was among the parameters already; views cannot read JSON (see above), so it gets a column.
    """
    db.executescript("""
        ALTER TABLE generations ADD COLUMN load_plan TEXT;
        ALTER TABLE generations ADD COLUMN template_sha256 TEXT;
        ALTER TABLE generations ADD COLUMN think_budget_tokens INTEGER;
        ALTER TABLE generations ADD COLUMN thinking_ended_by TEXT;
        UPDATE generations SET think_budget_tokens = json_extract(parameters, '$.think_budget_tokens')
        WHERE CASE WHEN json_valid(parameters)
            THEN json_type(parameters, '$.think_budget_tokens') END = 'integer';
    """)


@migrations()
def m008_share_images(db: Database) -> None:
    """The bytes of an image once, however many messages came with it: editing a question repeats them."""
    db.conn.create_function("sha256_hex", 1, lambda data: hashlib.sha256(data).hexdigest())
    db.executescript("""
        CREATE TABLE blobs (
            id INTEGER PRIMARY KEY,
            sha256 TEXT NOT NULL UNIQUE,
            data BLOB NOT NULL
        ) STRICT;
        INSERT OR IGNORE INTO blobs (sha256, data) SELECT sha256_hex(data), data FROM images ORDER BY id;
        CREATE TABLE images_of_blobs (
            id INTEGER PRIMARY KEY,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            name TEXT NOT NULL,
            blob_id INTEGER NOT NULL REFERENCES blobs (id),
            UNIQUE (message_id, position)
        ) STRICT;
        INSERT INTO images_of_blobs
            SELECT images.id, message_id, position, name, blobs.id
            FROM images JOIN blobs ON blobs.sha256 = sha256_hex(images.data);
        DROP TABLE images;
        ALTER TABLE images_of_blobs RENAME TO images;
        CREATE INDEX images_by_blob_id ON images (blob_id);
        CREATE TRIGGER blobs_unused AFTER DELETE ON images BEGIN
            DELETE FROM blobs WHERE id = old.blob_id
            AND NOT EXISTS (SELECT 1 FROM images WHERE blob_id = old.blob_id);
        END;
    """)


@migrations()
def m009_index_titles_and_files(db: Database) -> None:
    """Titles and names of files are found, too. Small, so these indexes keep what they hold."""
    db.executescript("""
        CREATE VIRTUAL TABLE search_titles USING fts5 (
            title, prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
        );
        CREATE VIRTUAL TABLE search_files USING fts5 (
            name, prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
        );
    """)


@migrations()
def m010_create_views(db: Database) -> None:
    """What people ask for most, without a join; what lies in the trash is left out."""
    db.executescript("""
        CREATE VIEW v_conversations AS
        SELECT conversations.id, title, folders.path AS folder,
            (SELECT group_concat(name, ', ') FROM tags WHERE conversation_id = conversations.id) AS tags,
            is_pinned, archived_at IS NOT NULL AS is_archived, deleted_at IS NOT NULL AS is_in_trash,
            conversations.created_at, updated_at,
            (SELECT count(*) FROM messages WHERE conversation_id = conversations.id) AS n_messages
        FROM conversations LEFT JOIN folders ON folders.id = folder_id;

        CREATE VIEW v_messages AS
        SELECT messages.id, messages.conversation_id, title, messages.parent_id, role, status,
            messages.created_at,
            (SELECT group_concat(text, '') FROM (SELECT text FROM parts
             WHERE message_id = messages.id AND kind = 'text' ORDER BY position)) AS text,
            (SELECT group_concat(text, '') FROM (SELECT text FROM parts
             WHERE message_id = messages.id AND kind = 'reasoning' ORDER BY position)) AS reasoning,
            generations.model_name, rating
        FROM messages JOIN conversations ON conversations.id = messages.conversation_id
        LEFT JOIN generations ON generations.message_id = messages.id
        LEFT JOIN ratings ON ratings.message_id = messages.id
        WHERE deleted_at IS NULL;

        CREATE VIEW v_answers AS
        SELECT v_messages.id AS message_id, conversation_id, title,
            (SELECT group_concat(text, '') FROM (SELECT text FROM parts
             WHERE message_id = v_messages.parent_id AND kind = 'text' ORDER BY position)) AS question,
            text AS answer, v_messages.model_name, rating, stop_reason, created_at
        FROM v_messages LEFT JOIN generations ON generations.message_id = v_messages.id
        WHERE role = 'assistant';

        CREATE VIEW v_reasoning AS
        SELECT v_messages.id AS message_id, conversation_id, title, v_messages.model_name, created_at,
            reasoning, reasoning_tokens, completion_tokens,
            round(100.0 * reasoning_tokens / nullif(completion_tokens, 0), 1) AS percent_of_answer,
            round(reasoning_ms / 1000, 3) AS reasoning_s,
            round(1000.0 * reasoning_tokens / nullif(reasoning_ms, 0), 1) AS tokens_per_s,
            think_budget_tokens, thinking_ended_by
        FROM v_messages JOIN generations ON generations.message_id = v_messages.id
        WHERE reasoning IS NOT NULL;

        CREATE VIEW v_speed_by_model AS
        SELECT model_name, engine, count(*) AS n_answers, sum(completion_tokens) AS n_tokens,
            round(avg(decode_tokens_per_s), 1) AS decode_tokens_per_s,
            round(max(decode_tokens_per_s), 1) AS fastest_tokens_per_s,
            round(avg(prefill_tokens_per_s), 1) AS prefill_tokens_per_s, round(avg(ttft_ms)) AS ttft_ms
        FROM generations WHERE decode_tokens_per_s IS NOT NULL GROUP BY model_name, engine;

        CREATE VIEW v_usage_by_day AS
        SELECT substr(started_at, 1, 10) AS day, model_name, count(*) AS n_answers,
            sum(prompt_tokens) AS prompt_tokens, sum(cached_tokens) AS cached_tokens,
            sum(completion_tokens) AS completion_tokens, sum(reasoning_tokens) AS reasoning_tokens,
            round(sum((julianday(ended_at) - julianday(started_at)) * 86400), 1) AS duration_s
        FROM generations GROUP BY day, model_name;
    """)
