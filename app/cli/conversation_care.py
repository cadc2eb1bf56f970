"""`coterie conversations rename`, `tag`, `pin`, `archive`, `move`, `rate`, `trash`, `delete` and so on."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Sequence
from typing import Any

from app import care
from app.cli.conversation_json import conversation_json
from app.cli.filters import RATINGS
from app.cli.output import print_json, print_table
from app.cli.progress import ProgressLine
from app.console import Console
from app.services import Services
from storage.records import Conversation
from storage.store import Store
from ui.care import words
from ui.i18n import tr

Action = Callable[[Store, int], Any]


def add_actions(actions: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare them below `coterie conversations`."""

    def action(name: str, help_text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = actions.add_parser(name, parents=parents, help=help_text)
        return parser

    def of_several(name: str, help_text: str) -> argparse.ArgumentParser:
        parser = action(name, help_text)
        parser.add_argument("id", metavar="ID", type=int, nargs="+")
        return parser

    renaming = action("rename", "give it a title")
    renaming.add_argument("id", metavar="ID", type=int)
    renaming.add_argument("title", metavar="TITLE")
    renaming.set_defaults(run=_rename)
    for name, help_text, is_on in (("tag", "mark it with tags", True), ("untag", "take tags away", False)):
        tagging = action(name, help_text)
        tagging.add_argument("id", metavar="ID", type=int)
        tagging.add_argument("tags", metavar="TAG", nargs="+")
        tagging.set_defaults(run=_tag, is_on=is_on)
    for name, help_text, change in (
        ("pin", "keep them on top of the list", lambda store, id_: store.shelf.pin(id_)),
        ("unpin", "no longer", lambda store, id_: store.shelf.pin(id_, False)),
        ("archive", "take them out of the list", lambda store, id_: store.shelf.archive(id_)),
        ("unarchive", "put them back into it", lambda store, id_: store.shelf.archive(id_, False)),
        ("trash", "throw them away; restore takes them out again", lambda store, id_: store.trash.put(id_)),
        ("restore", "take them out of the trash", lambda store, id_: store.trash.restore(id_)),
    ):
        of_several(name, help_text).set_defaults(run=_change, change=change)
    moving = of_several("move", "put them into a folder, which is made")
    moving.add_argument("folder", metavar="FOLDER", help="such as Work/Models; '' takes them out of all")
    moving.set_defaults(run=_move)
    rating = action("rate", "an opinion of an answer")
    rating.add_argument("message", metavar="MESSAGE", type=int, help="its number, see `show --json`")
    rating.add_argument("rating", choices=(*RATINGS, "none"))
    rating.set_defaults(run=_rate)
    deleting = of_several("delete", "remove them for good")
    deleting.set_defaults(run=_delete)
    emptying = action("empty-trash", "remove for good what lies in the trash")
    emptying.add_argument(
        "--days", metavar="N", type=float, default=0.0, help="only what lies there for so long"
    )
    emptying.set_defaults(run=_empty_trash)
    for parser in (deleting, emptying):
        parser.add_argument(
            "--secure",
            action="store_true",
            help="leave no trace in the file, and name the backups that have it",
        )
    action("folders", "all folders").set_defaults(run=_folders)
    action("tags", "all tags").set_defaults(run=_tags)
    shelving = action("rename-folder", "give a folder another path")
    shelving.add_argument("folder", metavar="FOLDER")
    shelving.add_argument("to", metavar="TO")
    shelving.set_defaults(run=_rename_folder)
    clearing = action("remove-folder", "remove a folder; its conversations stay")
    clearing.add_argument("folder", metavar="FOLDER")
    clearing.set_defaults(run=_remove_folder)


def _rename(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    def change(store: Store, conversation_id: int) -> None:
        store.conversations.rename(conversation_id, arguments.title)

    return _each([arguments.id], change, arguments, services, console)


def _tag(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    def change(store: Store, conversation_id: int) -> None:
        for tag in arguments.tags:
            (store.shelf.tag if arguments.is_on else store.shelf.untag)(conversation_id, tag)

    return _each([arguments.id], change, arguments, services, console)


def _change(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    return _each(arguments.id, arguments.change, arguments, services, console)


def _move(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    return _each(
        arguments.id, lambda store, id_: store.shelf.move(id_, arguments.folder), arguments, services, console
    )


def _rate(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    rating: Any = RATINGS.get(arguments.rating)
    services.storage.call(lambda store: store.ratings.rate(arguments.message, rating))
    if arguments.json:
        print_json(console, {"message_id": arguments.message, "rating": rating})
    return 0


def _delete(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    gone = care.delete(services, arguments.id)
    return _said_gone(gone, arguments, services, console)


def _empty_trash(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    before = services.storage.call(lambda store: store.trash.list())
    ids = services.storage.call(lambda store: store.trash.empty(arguments.days))
    for conversation_id in ids:
        services.forget_conversation(conversation_id)
    return _said_gone([one for one in before if one.id in ids], arguments, services, console)


def _said_gone(
    gone: Sequence[Conversation], arguments: argparse.Namespace, services: Services, console: Console
) -> int:
    """Say what is gone; where nothing may be left of it, see to that and name the backups that have it."""
    backups: list[str] | None = None
    if arguments.secure:
        line = ProgressLine(console)

        def show(done: int, total: int) -> None:
            line.show_steps(tr("Erasing"), done, total)

        try:
            backups = care.erase(services, gone, show)
        finally:
            line.clear()
    if arguments.json:
        print_json(console, {"deleted": [one.id for one in gone], "backups": backups})
        return 0
    console.out(words.deleted(len(gone)) + "\n")
    if backups:
        console.out(words.still_held(str(services.paths.backups_dir), backups) + "\n")
        for name in backups:
            console.out(f"  {name}\n")
    return 0


def _folders(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    found = services.storage.call(lambda store: store.shelf.folders())
    return _print_counts([(folder.path, folder.n_conversations) for folder in found], arguments, console)


def _tags(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    found = services.storage.call(lambda store: store.shelf.tags())
    return _print_counts([(tag.name, tag.n_conversations) for tag in found], arguments, console)


def _print_counts(found: list[tuple[str, int]], arguments: argparse.Namespace, console: Console) -> int:
    if arguments.json:
        print_json(console, [{"name": name, "n_conversations": n} for name, n in found])
    else:
        print_table(console, [[name, str(n)] for name, n in found], right=[1])
    return 0


def _rename_folder(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    path = services.storage.call(lambda store: store.shelf.rename_folder(arguments.folder, arguments.to))
    if arguments.json:
        print_json(console, {"folder": path})
    return 0


def _remove_folder(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    services.storage.call(lambda store: store.shelf.remove_folder(arguments.folder))
    if arguments.json:
        print_json(console, {"removed": arguments.folder})
    return 0


def _found(ids: Sequence[int], services: Services) -> list[Conversation]:
    """All of them, before anything is done to the first: a typing error must not do half of it."""
    return services.storage.call(lambda store: [store.conversations.get(id_) for id_ in dict.fromkeys(ids)])


def _apply(change: Action, conversation_id: int, store: Store) -> None:
    change(store, conversation_id)


def _each(
    ids: Sequence[int],
    change: Action,
    arguments: argparse.Namespace,
    services: Services,
    console: Console,
) -> int:
    _found(ids, services)
    for conversation_id in dict.fromkeys(ids):
        services.storage.call(functools.partial(_apply, change, conversation_id))
    if arguments.json:
        print_json(console, [conversation_json(found) for found in _found(ids, services)])
    return 0
