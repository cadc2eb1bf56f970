"""What must hold in the file, derived again from its rows: the schema cannot enforce all of it."""

from __future__ import annotations

import hashlib

from storage.database import Database

# Each finds the rows that contradict one rule and says so in one sentence.
_RULES = (
    """
    SELECT 'message ' || child.id || ' has a parent in another conversation, or none that is there'
    FROM messages AS child LEFT JOIN messages AS parent ON parent.id = child.parent_id
    WHERE child.parent_id IS NOT NULL AND parent.conversation_id IS NOT child.conversation_id
    """,
    """
    SELECT 'conversation ' || conversations.id || ' shows a message that it does not have'
    FROM conversations LEFT JOIN messages ON messages.id = head_id
    WHERE head_id IS NOT NULL AND messages.conversation_id IS NOT conversations.id
    """,
    """
    SELECT 'conversation ' || id || ' has messages and shows none' FROM conversations
    WHERE head_id IS NULL AND id IN (SELECT conversation_id FROM messages)
    """,
    """
    SELECT 'conversation ' || conversations.id || ' shows message ' || head_id || ', which has one below it'
    FROM conversations WHERE head_id IN (SELECT parent_id FROM messages)
    """,
    """
    SELECT 'message ' || message_id || ' has a gap in its parts' FROM parts
    GROUP BY message_id HAVING min(position) <> 0 OR max(position) <> count(*) - 1
    """,
    """
    SELECT DISTINCT 'message ' || messages.id || ' has ended and still has chunks'
    FROM chunks JOIN messages ON messages.id = chunks.message_id WHERE status <> 'streaming'
    """,
    """
    SELECT DISTINCT 'message ' || messages.id || ' streams and has parts already'
    FROM parts JOIN messages ON messages.id = parts.message_id WHERE status = 'streaming'
    """,
    """
    SELECT 'message ' || message_id || ' has chunks of two kinds in one part' FROM chunks
    GROUP BY message_id, position HAVING count(DISTINCT kind) > 1
    """,
    """
    SELECT 'message ' || id || ' streams and is not an answer with a generation' FROM messages
    WHERE status = 'streaming' AND (role <> 'assistant' OR id NOT IN (SELECT message_id FROM generations))
    """,
    """
    SELECT 'folder ' || path || ' lies in one that is not there' FROM folders
    WHERE path LIKE '%/%' AND NOT EXISTS (SELECT 1 FROM folders AS above
        WHERE above.path = rtrim(rtrim(folders.path, replace(folders.path, '/', '')), '/'))
    """,
    """
    SELECT 'message ' || message_id || ' is rated and is not an answer'
    FROM ratings JOIN messages ON messages.id = message_id WHERE role <> 'assistant'
    """,
    """
    SELECT 'file data ' || id || ' belongs to no message' FROM blobs
    WHERE NOT EXISTS (SELECT 1 FROM parts WHERE blob_id = blobs.id)
    """,
    """
    SELECT 'part ' || id || ' is a ' || kind || ' and has bytes' FROM parts
    WHERE blob_id IS NOT NULL AND kind NOT IN ('image', 'file')
    """,
    """
    SELECT 'image ' || id || ' has no bytes' FROM parts WHERE kind = 'image' AND blob_id IS NULL
    """,
    """
    SELECT 'a date of ' || "table" || ' ' || id || ' cannot be read: ' || coalesce(moment, 'none') FROM (
        SELECT 'conversation' AS "table", id, created_at AS moment FROM conversations
        UNION ALL SELECT 'conversation', id, updated_at FROM conversations
        UNION ALL SELECT 'conversation', id, coalesce(archived_at, created_at) FROM conversations
        UNION ALL SELECT 'conversation', id, coalesce(deleted_at, created_at) FROM conversations
        UNION ALL SELECT 'folder', id, created_at FROM folders
        UNION ALL SELECT 'rating', message_id, rated_at FROM ratings
        UNION ALL SELECT 'prompt', id, updated_at FROM prompts
        UNION ALL SELECT 'message', id, created_at FROM messages
        UNION ALL SELECT 'generation', message_id, started_at FROM generations
        UNION ALL SELECT 'model', name, added_at FROM models
        UNION ALL SELECT 'download', id, updated_at FROM downloads
        UNION ALL SELECT 'import', conversation_id, imported_at FROM origins
        UNION ALL SELECT 'collection', id, created_at FROM collections
        UNION ALL SELECT 'document', id, indexed_at FROM documents
        UNION ALL SELECT 'use', model_name, used_at FROM model_uses
        UNION ALL SELECT 'generation', message_id, coalesce(ended_at, started_at) FROM generations
    ) WHERE julianday(moment) IS NULL
    """,
    """
    SELECT "table" || ' ' || id || ' holds JSON that cannot be read' FROM (
        SELECT 'conversation' AS "table", id, sampling AS value FROM conversations
        UNION ALL SELECT 'generation', message_id, parameters FROM generations
        UNION ALL SELECT 'generation', message_id, coalesce(load_plan, '{}') FROM generations
        UNION ALL SELECT 'prompt', name, sampling FROM prompts
        UNION ALL SELECT 'setting', key, value FROM settings
        UNION ALL SELECT 'model', name, paths FROM models
        UNION ALL SELECT 'model', name, coalesce(sha256, '[]') FROM models
        UNION ALL SELECT 'model', name, info FROM models
        UNION ALL SELECT 'model', name, tags FROM models
        UNION ALL SELECT 'model', name, looks FROM models
        UNION ALL SELECT 'model', name, coalesce(verification, '{}') FROM models
        UNION ALL SELECT 'model', name, coalesce(moving, '{}') FROM models
        UNION ALL SELECT 'download', id, plan FROM downloads
        UNION ALL SELECT 'citation', id, headings FROM citations
        UNION ALL SELECT 'passage', id, headings FROM passages
    ) WHERE NOT json_valid(value)
    """,
)


def problems(database: Database) -> list[str]:
    """One sentence for each contradiction; empty is good."""
    orphans = [
        f"{row[0]} {row[1]} refers to a row of {row[2]} that is not there"
        for row in database.query("PRAGMA foreign_key_check")
    ]
    return orphans + [row[0] for rule in _RULES for row in database.query(rule)] + _changed_blobs(database)


def _changed_blobs(database: Database) -> list[str]:
    found = []
    for key in database.query("SELECT id FROM blobs ORDER BY id"):  # one at a time: they may be large
        (row,) = database.query("SELECT sha256, data FROM blobs WHERE id = ?", [key["id"]])
        if hashlib.sha256(row["data"]).hexdigest() != row["sha256"]:
            found.append(f"file data {key['id']} has changed")
    return found
