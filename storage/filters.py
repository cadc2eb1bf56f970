"""Conditions in SQL for a `Filter`: the same words mean the same in lists and in the search."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from storage.records import Filter

Parameters = dict[str, Any]

_MODEL_WROTE: Final = (
    "EXISTS (SELECT 1 FROM generations WHERE generations.message_id = messages.id AND model_name = :model)"
)
_RATED: Final = (
    "EXISTS (SELECT 1 FROM ratings WHERE ratings.message_id = messages.id AND ratings.rating = :rating)"
)
_HAS_PART: Final = "EXISTS (SELECT 1 FROM parts WHERE parts.message_id = messages.id AND parts.kind = :part)"
_HAS_FILE: Final = (
    "EXISTS (SELECT 1 FROM parts WHERE parts.message_id = messages.id AND parts.kind IN ('image', 'file'))"
)
# What few rows lead to is looked up from them, instead of looking through all messages for them.
N_FEW: Final = 5_000
_AMONG: Final = (
    "conversations.id IN (SELECT messages.conversation_id FROM {0}"
    " CROSS JOIN messages ON messages.id = {0}.message_id WHERE {1})"
)
_IS_FEW: Final = (
    "(SELECT count(*) FROM (SELECT 1 FROM generations WHERE model_name = :model LIMIT :few)) < :few"
)


def of_conversations(where: Filter) -> tuple[list[str], Parameters]:
    """What must hold of a row of `conversations`, as far as messages do not matter."""
    conditions = [f"conversations.deleted_at IS {'NOT NULL' if where.is_in_trash else 'NULL'}"]
    parameters: Parameters = {}
    if where.is_archived is not None:
        conditions.append(f"conversations.archived_at IS {'NOT NULL' if where.is_archived else 'NULL'}")
    if where.is_pinned is not None:
        conditions.append("conversations.is_pinned = :is_pinned")
        parameters["is_pinned"] = where.is_pinned
    if where.conversation_id is not None:
        conditions.append("conversations.id = :conversation_id")
        parameters["conversation_id"] = where.conversation_id
    if where.folder == "":
        conditions.append("conversations.folder_id IS NULL")
    elif where.folder is not None:
        # "0" is the character after "/": every path below this one lies between the two.
        conditions.append(
            "conversations.folder_id IN (SELECT id FROM folders WHERE path = :folder"
            " OR (path > :folder || '/' AND path < :folder || '0'))"
        )
        parameters["folder"] = where.folder
    for number, tag in enumerate(where.tags):
        conditions.append(
            "EXISTS (SELECT 1 FROM tags WHERE tags.conversation_id = conversations.id"
            f" AND tags.name = :tag{number})"
        )
        parameters[f"tag{number}"] = tag
    return conditions, parameters


def of_messages(where: Filter) -> tuple[list[str], Parameters]:
    """What must hold of a row of `messages`; the kind of the part is left to who reads parts."""
    conditions: list[str] = []
    parameters: Parameters = {}
    for name, condition in (
        ("since", "messages.created_at >= :since"),
        ("until", "messages.created_at <= :until"),
        ("role", "messages.role = :role"),
        ("model", _MODEL_WROTE),
        ("rating", _RATED),
    ):
        value = getattr(where, name)
        if value is not None:
            conditions.append(condition)
            parameters[name] = moment_text(value) if isinstance(value, datetime) else value
    return conditions, parameters


def of_list(where: Filter) -> tuple[str, Parameters]:
    """What must hold of a conversation in a list; a message of it decides about what messages are like."""
    conditions, parameters = of_conversations(where)
    for name, comparison in (("since", ">="), ("until", "<=")):
        value = getattr(where, name)
        if value is not None:
            conditions.append(f"conversations.updated_at {comparison} :{name}")
            parameters[name] = moment_text(value)
    of_message, more = of_messages(
        Filter(role=where.role, model=where.model, rating=where.rating)  # the dates are the list's own
    )
    if where.part == "file":
        of_message.append(_HAS_FILE)
    elif where.part not in (None, "title"):
        of_message.append(_HAS_PART)
        more["part"] = where.part
    if of_message:
        wanted = " AND ".join(of_message)
        condition = (
            f"EXISTS (SELECT 1 FROM messages WHERE messages.conversation_id = conversations.id AND {wanted})"
        )
        if where.rating is not None:  # few answers are rated
            condition = _AMONG.format("ratings", wanted)
        elif where.model is not None:
            among = _AMONG.format("generations", f"generations.model_name = :model AND {wanted}")
            condition = f"CASE WHEN {_IS_FEW} THEN {among} ELSE {condition} END"
            more["few"] = N_FEW
        conditions.append(condition)
    return " AND ".join(conditions), parameters | more


def moment_text(moment: datetime) -> str:
    """As the database writes it; a moment without a zone is one of this machine's clock."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
