"""What ModelScope says of a repository, made into values of ours: no type in it is taken on trust."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from model_manager.hub_facts import says_moe, says_reasoning
from model_manager.told import count, text
from model_manager.types import HubFacts

_REPO = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)


def facts_of(entry: Any, repo_id: str) -> HubFacts:
    """Of an entry of `/openapi/v1/models`.

    Args:
        entry: JSON.
        repo_id: Whose it is; "" reads that from the entry, and leaves it so where it says none.
    """
    values: dict[str, Any] = entry if isinstance(entry, dict) else {}
    name = repo_id or text(values.get("id"))
    tags = [tag for tag in values.get("tags") or () if isinstance(tag, str)]
    return HubFacts(
        repo_id=name if _REPO.fullmatch(name) else "",
        downloads=count(values.get("downloads")),
        likes=count(values.get("likes")),
        modified_at=_moment(values.get("last_modified")),
        license=text(values.get("license")).lower(),
        total_params=count(values.get("params")),
        is_moe=says_moe("", tags, name.rpartition("/")[2]),
        is_reasoning=says_reasoning("", tags, name.rpartition("/")[2]),
        is_gated=values.get("gated") is True or values.get("private") is True,
        source="modelscope",
    )


def _moment(value: Any) -> str:
    """ISO 8601 or seconds; "" for what is neither."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
        else:
            moment = datetime.fromtimestamp(count(value), UTC)
        return moment.astimezone(UTC).isoformat(timespec="seconds") if value else ""
    except (ValueError, OverflowError, OSError):
        return ""
