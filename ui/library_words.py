"""The library in words: what is known of files, and what became of an import; for terminal and window."""

from __future__ import annotations

from model_manager.types import ImportItem, ModelEntry, SkipReason
from ui.i18n import tr


def state(entry: ModelEntry) -> str:
    """What is known of an entry's files, in a few words; "" where there is nothing to say."""
    if entry.address:
        return ""
    if entry.moving_to is not None:
        return tr("unfinished move to {folder}", folder=entry.moving_to)
    missing = str(entry.missing_paths[0]) if entry.missing_paths else ""
    words = {
        "unverified": "",
        "verified": tr("verified"),
        "changed": tr("changed since it was verified"),
        "damaged": tr("damaged"),
        "missing": tr("missing: {path}", path=missing),
        "missing_shard": tr("missing part: {path}", path=missing),
        "broken_link": tr("broken link: {path}", path=missing),
    }
    return words[entry.state]


def status(item: ImportItem) -> str:
    """What became of a model of a store, in a few words."""
    if item.reason is not None:
        return reason(item.reason)
    words = {
        "added": tr("added"),
        "known": tr("already in the library"),
        "found_again": tr("found again in another place"),
    }
    return words[item.status]


def reason(why: SkipReason) -> str:
    """Why a file was left out, in a few words."""
    words: dict[SkipReason, str] = {
        "broken_link": tr("a link that leads nowhere"),
        "cycle": tr("a link that leads in a circle"),
        "outside": tr("a link that leads out of the folder; import that folder itself"),
        "not_a_file": tr("no regular file"),
        "unreadable": tr("cannot be read; check its permissions"),
        "unfinished": tr("an unfinished download of its program"),
        "missing_shard": tr("a part of the model is missing"),
        "missing_file": tr("the file is missing"),
        "not_gguf": tr("not a GGUF file"),
        "truncated": tr("cut off; its program should download it again"),
        "damaged": tr("damaged"),
        "unsupported": tr("a kind of GGUF that Coterie cannot read"),
        "vision": tr("lets a model see; used from beside that model"),
        "not_a_model": tr("no model of its own, such as an adapter"),
        "bad_manifest": tr("its program's description of it cannot be read"),
        "too_many": tr("too many files; choose a smaller folder"),
    }
    return words[why]
