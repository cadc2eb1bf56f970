"""A filter in words: what a list or a search is limited to."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QDate

from storage.records import Filter
from ui.i18n import locale, tr


def parts() -> dict[str | None, str]:
    """Where something was found, by `Filter.part`; None for anywhere."""
    return {
        None: tr("Everywhere"),
        "text": tr("Questions and answers"),
        "reasoning": tr("Reasoning"),
        "tool_call": tr("Calls of tools"),
        "tool_result": tr("Results of tools"),
        "title": tr("Titles"),
        "file": tr("Attachments"),
    }


def roles() -> dict[str | None, str]:
    """Who said it, by `Filter.role`; None for anybody."""
    return {
        None: tr("Anybody"),
        "user": tr("You"),
        "assistant": tr("The model"),
        "system": tr("System prompt"),
    }


def ratings() -> dict[int | None, str]:
    """What is thought of an answer, by `Filter.rating`; None where that does not matter."""
    return {None: tr("Any rating"), 1: tr("Good answers"), -1: tr("Bad answers")}


def summary(where: Filter) -> str:
    """All of it in one line; empty where nothing is left out."""
    folder = tr("No folder") if where.folder == "" else where.folder or ""
    words = [
        tr("this conversation") if where.conversation_id is not None else "",
        folder,
        *(f"#{tag}" for tag in where.tags),
        where.model or "",
        _dates(where.since, where.until),
        roles()[where.role] if where.role else "",
        parts()[where.part] if where.part else "",
        ratings()[where.rating] if where.rating else "",
        tr("archived") if where.is_archived else "",
    ]
    return " · ".join(word for word in words if word)


def _dates(since: datetime | None, until: datetime | None) -> str:
    if since is not None and until is not None:
        return f"{_day(since)} - {_day(until)}"
    if since is not None:
        return tr("since {day}", day=_day(since))
    return tr("until {day}", day=_day(until)) if until is not None else ""


def _day(moment: datetime) -> str:
    local = moment.astimezone()
    return locale().toString(QDate(local.year, local.month, local.day), tr("d MMM yyyy"))
