"""Conversations, messages and what a search found, as the command line's JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from storage.records import Conversation, Message, Part, SearchHit

MARKS: Final = str.maketrans({"\ue000": None, "\ue001": None})
"""Takes the marks around matches out of a snippet."""


def conversation_json(conversation: Conversation) -> dict[str, Any]:
    """What the list says of one."""
    archived_at, deleted_at = conversation.archived_at, conversation.deleted_at
    return {
        "id": conversation.id,
        "title": conversation.title,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "model": conversation.model_name,
        "system_prompt": conversation.system_prompt,
        "sampling": dict(conversation.sampling),
        "folder": conversation.folder,
        "tags": list(conversation.tags),
        "is_pinned": conversation.is_pinned,
        "archived_at": archived_at.isoformat() if archived_at else None,
        "deleted_at": deleted_at.isoformat() if deleted_at else None,
    }


def hit_json(hit: SearchHit) -> dict[str, Any]:
    """What a search says of one hit."""
    return {
        "conversation_id": hit.conversation_id,
        "message_id": hit.message_id,
        "part": hit.part,
        "title": hit.title,
        "created_at": hit.created_at.isoformat(),
        "snippet": hit.snippet.translate(MARKS),
    }


def _part_json(part: Part) -> dict[str, str]:
    """Without the bytes of images and files, which only an export carries."""
    found = {"kind": part.kind, "text": part.text, "name": part.name, "call_id": part.call_id}
    return {name: value for name, value in found.items() if value or name == "text"}


def message_json(message: Message) -> dict[str, Any]:
    """One message with how it was made."""
    return {
        "id": message.id,
        "parent_id": message.parent_id,
        "role": message.role,
        "status": message.status,
        "created_at": message.created_at.isoformat(),
        "parts": [_part_json(part) for part in message.parts],
        "images": [part.name for part in message.parts if part.kind == "image"],
        "rating": message.rating,
        "generation": asdict(message.generation) if message.generation else None,
        "version_ids": list(message.sibling_ids),
    }
