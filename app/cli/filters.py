"""Options that say which conversations and messages are meant, alike for lists and for the search."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, time, timedelta
from typing import Final, cast, get_args

from storage.records import Filter, FoundIn, Rating, Role

_DAYS_AGO: Final = re.compile(r"(\d{1,5})d")
RATINGS: Final = {"good": 1, "bad": -1}


def add_options(parser: argparse.ArgumentParser, *, messages: bool) -> None:
    """Declare them.

    Args:
        parser: Where.
        messages: What is looked for are messages, which have a part.
    """
    parser.add_argument(
        "--since", metavar="DAY", type=_since, help="not older: 2026-11-24, a time after it, or 7d"
    )
    parser.add_argument("--until", metavar="DAY", type=_until, help="not newer")
    parser.add_argument("-m", "--model", metavar="NAME", help="with an answer of this model")
    parser.add_argument("--folder", metavar="PATH", help="in this folder or below it; '' is in none")
    parser.add_argument(
        "--tag", metavar="NAME", action="append", default=[], help="may be given several times"
    )
    parser.add_argument("--role", choices=("user", "assistant", "system"), help="of who says it")
    parser.add_argument("--rating", choices=tuple(RATINGS), help="of answers")
    if messages:
        parser.add_argument(
            "--part", choices=get_args(FoundIn), help="only in these; file is its name and its text"
        )
        parser.add_argument("-c", "--conversation", metavar="ID", type=int, help="only in this one")
    else:
        parser.add_argument("--pinned", action="store_true", help="only what is pinned")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--archived", action="store_true", help="only what is in the archive")
    place.add_argument("--trash", action="store_true", help="only what is in the trash")
    if not messages:
        place.add_argument("--all", action="store_true", help="also what is in the archive")


def filter_of(arguments: argparse.Namespace) -> Filter:
    """What they say."""
    given = vars(arguments)
    is_list = "part" not in given
    is_archived = True if arguments.archived else None
    if is_list and not (arguments.archived or arguments.trash or given["all"]):
        is_archived = False
    rating = RATINGS.get(arguments.rating) if arguments.rating else None
    return Filter(
        since=arguments.since,
        until=arguments.until,
        model=arguments.model,
        folder=None if arguments.folder is None else arguments.folder.strip().strip("/"),
        tags=tuple(tag.strip() for tag in arguments.tag),
        is_pinned=True if given.get("pinned") else None,
        is_archived=is_archived,
        is_in_trash=arguments.trash,
        conversation_id=given.get("conversation"),
        role=cast("Role | None", arguments.role),
        part=cast("FoundIn | None", given.get("part")),
        rating=cast("Rating | None", rating),
    )


def _since(text: str) -> datetime:
    return _moment(text, is_end=False)


def _until(text: str) -> datetime:
    return _moment(text, is_end=True)


def _moment(text: str, *, is_end: bool) -> datetime:
    """A day of this machine's calendar, a time, or so many days ago; for an end, the whole day counts."""
    if match := _DAYS_AGO.fullmatch(text.strip()):
        return datetime.now(UTC) - timedelta(days=int(match.group(1)))
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise argparse.ArgumentTypeError("write a day like 2026-11-24, or 7d for a week ago") from None
    if is_end and len(text.strip()) <= len("2026-11-24"):
        moment = datetime.combine(moment.date(), time.max, moment.tzinfo)
    return moment.astimezone()
