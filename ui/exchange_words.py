"""What an import brought, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ui import formats
from ui.i18n import tr, trn


def summary(n_new: int, n_grown: int, n_known: int, n_messages: int, *, is_trial: bool = False) -> str:
    """What came over, in one or two sentences."""
    if not n_new and not n_grown:
        if n_known:
            return tr("Nothing new: all of these conversations are here already.")
        return tr("No conversation could be read.")
    n_text = formats.number(n_new)
    if is_trial:
        said = [
            trn("{n} conversation would be new.", "{n} conversations would be new.", n_new, n_text=n_text)
        ]
    else:
        said = [trn("{n} conversation is new.", "{n} conversations are new.", n_new, n_text=n_text)]
    if n_grown:
        said.append(
            trn("{n} got more messages.", "{n} got more messages.", n_grown, n_text=formats.number(n_grown))
        )
    if n_known:
        said.append(
            trn("{n} was here already.", "{n} were here already.", n_known, n_text=formats.number(n_known))
        )
    said.append(trn("{n} message.", "{n} messages.", n_messages, n_text=formats.number(n_messages)))
    return " ".join(said)


def lost(counts: Mapping[str, int]) -> list[str]:
    """What has no place here, a line for each kind; kinds without a name of their own last."""
    names = {
        "file": tr("files that are not in the export"),
        "image": tr("images that are not in the export"),
        "audio": tr("recordings"),
        "video": tr("videos"),
        "citation": tr("citations"),
        "state": tr("states of web pages"),
        "trace": tr("arrays beside answers"),
        "message": tr("unreadable messages"),
        "other": tr("other things"),
    }
    return [
        tr("{what}: {n}", what=name, n=formats.number(counts[kind]))
        for kind, name in names.items()
        if counts.get(kind)
    ]


def broken(n_broken: int) -> str:
    """That places could not be read; empty for none."""
    if not n_broken:
        return ""
    return trn(
        "{n} place could not be read; everything else was.",
        "{n} places could not be read; everything else was.",
        n_broken,
        n_text=formats.number(n_broken),
    )


def empty(n_empty: int) -> str:
    """That conversations held nothing; empty for none."""
    if not n_empty:
        return ""
    return trn(
        "{n} conversation without messages was left out.",
        "{n} conversations without messages were left out.",
        n_empty,
        n_text=formats.number(n_empty),
    )


def left_out(counts: Iterable[tuple[str, int]]) -> list[str]:
    """What did not become an example for training, a line for each reason."""
    names = {
        "no_answer": tr("without a whole answer"),
        "too_short": tr("too short"),
        "too_long": tr("too long"),
        "low_rating": tr("with a bad rating"),
        "unsure": tr("of an unsure model"),
        "near_duplicate": tr("nearly the same as another"),
    }
    return [tr("left out: {n} {reason}", n=formats.number(n), reason=names[reason]) for reason, n in counts]
