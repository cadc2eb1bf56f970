"""Damages copies of a database and its log as disks do, and sees what the program makes of it."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Final

from storage.errors import StorageError
from storage.store import Store
from tests.helpers.databases import fill, text

PAGE_BYTES: Final = 4096
KINDS: Final = ("bit", "byte", "zeros", "sector", "noise", "other page")

Outcome = str
"""refused: a typed error at the door or when it was read; told: `verify` found it; harmless: all is as it
was; unnoticed: something is different that is kept only once: a number, or in a text a letter's case or a
mark, which the search index does not hold."""


def make(path: Path) -> None:
    """A database with some of everything and a few hundred messages, closed."""
    store = Store(path)
    try:
        fill(store)
        conversation = store.conversations.create(title="Long").id
        parent: int | None = None
        for n in range(120):
            role, said = ("assistant", "answers") if n % 2 else ("user", "asks")
            message = store.conversations.append(
                conversation,
                parent,
                role,
                text(f"{said} {n} 混合专家 get_logits_ith " * 12),  # type: ignore[arg-type]  # a literal of two
            )
            parent = message.id
    finally:
        store.close()


def content(path: Path) -> tuple[object, object]:
    """Texts and titles, and everything else that people see; read without the program."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        texts = (
            connection.execute("SELECT message_id, position, kind, text FROM parts ORDER BY id").fetchall()
            + connection.execute("SELECT id, title FROM conversations ORDER BY id").fetchall()
        )
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rest = {table: connection.execute(f'SELECT * FROM "{table}"').fetchall() for table in sorted(tables)}
        return texts, rest


def flip(path: Path, kind: str, chance: random.Random) -> None:
    """Change something at a random place."""
    content = bytearray(path.read_bytes())
    n_pages = len(content) // PAGE_BYTES
    at = chance.randrange(len(content))
    page = at // PAGE_BYTES * PAGE_BYTES
    match kind:
        case "bit":
            content[at] ^= 1 << chance.randrange(8)
        case "byte":
            content[at] = chance.randrange(256)
        case "zeros":
            content[page : page + PAGE_BYTES] = bytes(PAGE_BYTES)
        case "sector":
            start = at // 512 * 512
            content[start : start + 512] = chance.randbytes(512)
        case "noise":
            content[page : page + PAGE_BYTES] = chance.randbytes(PAGE_BYTES)
        case "other page":
            other = chance.randrange(n_pages) * PAGE_BYTES
            content[page : page + PAGE_BYTES] = content[other : other + PAGE_BYTES]
    path.write_bytes(content)


def outcome(path: Path, before: tuple[object, object]) -> Outcome:
    """What the program does with a damaged file: only its own errors may come out.

    Raises:
        AssertionError: A text or title is different, and nobody noticed.
    """
    try:
        store = Store(path)
    except StorageError:
        return "refused"
    try:
        try:
            for conversation in store.conversations.list():
                store.conversations.path(conversation.id)
            store.search.find("混合")
            store.trash.list()
        except StorageError:
            return "refused"
        if store.conversations.verify():
            return "told"
    finally:
        store.close()
    try:
        after = content(path)
    except (sqlite3.Error, UnicodeDecodeError):
        return "unnoticed"  # where only people look, or a table that is empty
    assert _words(after[0]) == _words(before[0]), "a text has other words, and nobody noticed"
    return "harmless" if after[1] == before[1] else "unnoticed"


def _words(texts: object) -> object:
    """What the search index makes of texts: it folds case, and does not hold what is no word."""
    rows = texts if isinstance(texts, list) else []
    return [(*row[:-1], re.findall(r"[^\W_]+", str(row[-1]).casefold())) for row in rows]


def flips(folder: Path, n_flips: int, seed: int) -> Counter[Outcome]:
    """Damage so many copies, each at one place."""
    chance = random.Random(seed)
    original, copy = folder / "original.sqlite", folder / "flipped" / "coterie.sqlite"
    make(original)
    before = content(original)
    counts: Counter[Outcome] = Counter(dict.fromkeys(("refused", "told", "harmless", "unnoticed"), 0))
    for number in range(n_flips):
        _fresh(copy)
        shutil.copy(original, copy)
        flip(copy, KINDS[number % len(KINDS)], chance)
        counts[outcome(copy, before)] += 1
    return counts


def cut_files(folder: Path) -> Counter[Outcome]:
    """Cut the file at every 4 KiB."""
    original, copy = folder / "original.sqlite", folder / "cut" / "coterie.sqlite"
    if not original.exists():
        make(original)
    before = content(original)
    counts: Counter[Outcome] = Counter()
    whole = original.read_bytes()
    for length in range(PAGE_BYTES, len(whole), PAGE_BYTES):
        _fresh(copy)
        copy.write_bytes(whole[:length])
        counts[outcome(copy, before)] += 1
    return counts


def cut_logs(folder: Path, n_messages: int) -> int:
    """Cut a log of so many messages at every 4 KiB: what was committed before the cut is there.

    Returns:
        How many cuts there were.
    """
    path, copy = folder / "logged.sqlite", folder / "log" / "coterie.sqlite"
    store = Store(path)
    try:
        store._database.query("PRAGMA wal_autocheckpoint=0")
        conversation = store.conversations.create(title="Log").id
        store._database.query("PRAGMA wal_checkpoint(TRUNCATE)")
        log = path.with_name(path.name + "-wal")
        ends: list[tuple[int, int]] = []
        for n in range(n_messages):
            message = store.conversations.append(conversation, None, "user", text(f"torn {n} " * 20 * n))
            store.shelf.tag(conversation, f"tag {n}")
            ends.append((message.id, log.stat().st_size))
        whole = log.read_bytes()
        n_cuts = 0
        for length in range(0, len(whole) + PAGE_BYTES, PAGE_BYTES):
            _fresh(copy)
            shutil.copy(path, copy)
            copy.with_name(copy.name + "-wal").write_bytes(whole[:length])
            _check_log(copy, {message_id for message_id, end in ends if end <= length}, length)
            n_cuts += 1
        return n_cuts
    finally:
        store.close()


def _check_log(path: Path, promised: set[int], length: int) -> None:
    store = Store(path)
    try:
        found = {row["id"] for row in store._database.query("SELECT id FROM messages")}
        assert found >= promised, length
        assert len(found) <= len(promised) + 1, length  # a message whose tag was not yet written
        assert store.conversations.verify() == [], length
    finally:
        store.close()


def _fresh(path: Path) -> None:
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir(parents=True)
