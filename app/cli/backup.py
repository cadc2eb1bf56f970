"""`coterie backup`: whole, verified copies of the database, and the way back to one."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.care import content_of, rows_of
from app.cli.output import print_json, print_table
from app.console import Console
from app.errors import DataFolderInUse
from app.owner import Owner, acquire_or_connect
from app.paths import Paths, resolve
from app.services import Services
from storage.backups import BackupContent, Backups
from ui import formats
from ui.care import words
from ui.i18n import tr


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command and its actions."""
    parser = commands.add_parser("backup", parents=parents, help="copies of all conversations and settings")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    creating = actions.add_parser("create", parents=parents, help="make one, also while Coterie is in use")
    creating.add_argument(
        "file", metavar="FILE", nargs="?", type=Path, help="where to; else beside the database"
    )
    creating.add_argument(
        "--if-due", action="store_true", help="only if the setting `backup_every_days` asks for one"
    )
    creating.set_defaults(run=create)
    listing = actions.add_parser("list", parents=parents, help="the newest first")
    listing.set_defaults(run=list_backups, needs_owner=False)
    verifying = actions.add_parser("verify", parents=parents, help="read all of it, and say what it holds")
    verifying.add_argument("file", metavar="FILE", help="a file, or a name of `list`")
    verifying.set_defaults(run=verify, needs_owner=False)
    removing = actions.add_parser("remove", parents=parents, help="delete backups of the folder for good")
    removing.add_argument("name", metavar="NAME", nargs="+", help="a name of `list`")
    removing.set_defaults(run=remove, needs_owner=False)
    restoring = actions.add_parser(
        "restore", parents=parents, help="put it in the place of the database, which becomes a backup"
    )
    restoring.add_argument("file", metavar="FILE", help="a file, or a name of `list`")
    # Without the services: the database that is there may be one that does not open.
    restoring.set_defaults(run=restore, needs_owner=False)


def create(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Make a backup and say where it is."""
    backups = Backups(services.paths.database)
    made: Path | None
    if arguments.if_due:
        made = backups.create_if_due(services.setting("backup_every_days"), services.setting("backups_kept"))
    else:
        target = None if arguments.file is None else console.cwd / arguments.file.expanduser()
        made = backups.create("hand", target)
    content = None if made is None else backups.verify(made)
    if arguments.json:
        print_json(console, None if content is None else _content_json(content))
    elif content is None:
        console.out(tr("No backup is due.") + "\n")
    else:
        console.out(words.whole(content_of(content)) + "\n")
    return 0


def list_backups(arguments: argparse.Namespace, _services: Services | None, console: Console) -> int:
    """Print what there is."""
    rows = rows_of(Backups(_paths(arguments).database))
    if arguments.json:
        print_json(console, [asdict(row) | {"made_at": row.made_at.isoformat()} for row in rows])
        return 0
    now = datetime.now(UTC)
    print_table(
        console,
        [
            [
                Path(row.path).name,
                formats.moment(row.made_at, now),
                words.backup_kind(row),
                formats.size(row.size_bytes),
            ]
            for row in rows
        ],
        right=[3],
    )
    return 0


def verify(arguments: argparse.Namespace, _services: Services | None, console: Console) -> int:
    """Print what a backup holds."""
    backups = Backups(_paths(arguments).database)
    content = backups.verify(_file(arguments.file, backups, console))
    if arguments.json:
        print_json(console, _content_json(content))
    else:
        console.out(words.whole(content_of(content)) + "\n")
    return 0


def remove(arguments: argparse.Namespace, _services: Services | None, console: Console) -> int:
    """Delete backups; all of them or, where one is not there, none."""
    backups = Backups(_paths(arguments).database)
    paths = [backups.folder / name for name in arguments.name]
    backups.remove(paths)
    if arguments.json:
        print_json(console, {"removed": [str(path) for path in paths]})
    return 0


def restore(arguments: argparse.Namespace, _services: Services | None, console: Console) -> int:
    """Put a backup in the place of the database."""
    paths = _paths(arguments)
    backups = Backups(paths.database)
    path = _file(arguments.file, backups, console)
    backups.verify(path)  # before anything: the owner need not be disturbed for a file that is no good
    owner = acquire_or_connect(paths)
    if not isinstance(owner, Owner):
        raise DataFolderInUse(paths.data_dir)
    try:
        replaced = backups.restore(path)
    finally:
        owner.close()
    if arguments.json:
        print_json(console, {"restored": str(path), "replaced": None if replaced is None else str(replaced)})
        return 0
    console.out(tr("{path} is in place.", path=path) + "\n")
    if replaced is not None:
        console.out(tr("What was there before is kept as {path}.", path=replaced) + "\n")
    return 0


def _paths(arguments: argparse.Namespace) -> Paths:
    return resolve(arguments.data_dir)


def _file(text: str, backups: Backups, console: Console) -> Path:
    """A name in the folder of backups, or a path."""
    listed = backups.folder / text
    return listed if Path(text).name == text and listed.is_file() else console.cwd / Path(text).expanduser()


def _content_json(content: BackupContent) -> dict[str, Any]:
    newest = content.newest_at
    return asdict(content) | {"path": str(content.path), "newest_at": newest.isoformat() if newest else None}
