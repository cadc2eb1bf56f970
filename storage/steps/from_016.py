"""Steps 16 and on."""

from __future__ import annotations

from sqlite_utils import Database

from storage.steps.registry import migrations


@migrations()
def m016_give_all_content_parts(db: Database) -> None:
    """Tool calls, their results, images and files are parts, too, in the order in which they came.

    A CHECK cannot be changed, so the table is written anew, with the ids that the search index has. Images
    get the places before the text, where they stood all along. Views name the table and have to make room.
    """
    db.executescript("""
        DROP VIEW v_reasoning;
        DROP VIEW v_answers;
        DROP VIEW v_messages;

        CREATE TABLE all_parts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL CHECK (position >= 0),
            kind TEXT NOT NULL
                CHECK (kind IN ('text', 'reasoning', 'tool_call', 'tool_result', 'image', 'file')),
            text TEXT NOT NULL,
            name TEXT,
            call_id TEXT,
            blob_id INTEGER REFERENCES blobs (id),
            UNIQUE (message_id, position)
        ) STRICT;
        INSERT INTO sqlite_sequence SELECT 'all_parts', seq FROM sqlite_sequence WHERE name = 'parts';
        INSERT INTO all_parts (id, message_id, position, kind, text)
            SELECT id, message_id,
                position + (SELECT count(*) FROM images WHERE images.message_id = parts.message_id),
                kind, text
            FROM parts ORDER BY id;
        INSERT INTO all_parts (message_id, position, kind, text, name, blob_id)
            SELECT message_id, row_number() OVER (PARTITION BY message_id ORDER BY position) - 1, 'image', '',
                name, blob_id
            FROM images ORDER BY message_id, position;
        DROP TABLE images;
        DROP TABLE parts;
        ALTER TABLE all_parts RENAME TO parts;

        CREATE INDEX parts_by_blob_id ON parts (blob_id) WHERE blob_id IS NOT NULL;
        CREATE INDEX parts_attached ON parts (message_id) WHERE kind IN ('image', 'file');
        CREATE TRIGGER blobs_unused AFTER DELETE ON parts WHEN old.blob_id IS NOT NULL BEGIN
            DELETE FROM blobs WHERE id = old.blob_id
            AND NOT EXISTS (SELECT 1 FROM parts WHERE blob_id = old.blob_id);
        END;

        INSERT INTO search (rowid, text) SELECT id, '' FROM parts WHERE kind = 'image';
        DELETE FROM search_files;

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

        CREATE VIEW v_tool_calls AS
        SELECT parts.message_id, conversation_id, title, created_at, parts.name AS tool,
            parts.text AS arguments,
            (SELECT result.text FROM parts AS result WHERE result.message_id = parts.message_id
             AND result.kind = 'tool_result' AND result.call_id = parts.call_id) AS result,
            model_name
        FROM parts JOIN v_messages ON v_messages.id = parts.message_id
        WHERE parts.kind = 'tool_call';

        CREATE VIEW v_attachments AS
        SELECT message_id, conversation_id, title, created_at, kind, name, length(data) AS size_bytes, sha256
        FROM parts JOIN v_messages ON v_messages.id = message_id LEFT JOIN blobs ON blobs.id = blob_id
        WHERE kind IN ('image', 'file');
    """)


@migrations()
def m017_note_effort(db: Database) -> None:
    """How hard the model was asked to think, where its template has words for that."""
    db.executescript("""
        ALTER TABLE generations ADD COLUMN effort TEXT;

        CREATE VIEW v_reasoning AS
        SELECT v_messages.id AS message_id, conversation_id, title, v_messages.model_name, created_at,
            reasoning, reasoning_tokens, completion_tokens,
            round(100.0 * reasoning_tokens / nullif(completion_tokens, 0), 1) AS percent_of_answer,
            round(reasoning_ms / 1000, 3) AS reasoning_s,
            round(1000.0 * reasoning_tokens / nullif(reasoning_ms, 0), 1) AS tokens_per_s,
            effort, think_budget_tokens, thinking_ended_by
        FROM v_messages JOIN generations ON generations.message_id = v_messages.id
        WHERE reasoning IS NOT NULL;
    """)
