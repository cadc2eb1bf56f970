from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage.errors import DatabaseLocked
from storage.sizes import sizes_of
from storage.store import Store
from tests.helpers.databases import fill, text


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob("coterie.sqlite*")))


def test_sizes_by_kind(path: Path, store: Store) -> None:
    fill(store)
    sizes = sizes_of(path)
    assert sizes.file_bytes == store._database.query("PRAGMA page_count")[0][0] * 4096
    assert sizes.log_bytes == path.with_name(path.name + "-wal").stat().st_size
    assert sizes.kinds["attachments"] == len(b"\x89PNG red")
    assert sizes.kinds["reasoning"] == len("They ask about sparse models; 混合专家模型.".encode())
    assert set(sizes.kinds) == {
        "text",
        "reasoning",
        "attachments",
        "routing",
        "tokens",
        "search index",
        "knowledge",
    }
    assert min(sizes.kinds.values()) > 0
    assert sizes.backups_bytes == 0
    store.back_up(path.parent / "backups" / "coterie-20260101T000000000000Z.sqlite")
    assert sizes_of(path).backups_bytes > 0


def test_compaction_gives_back_and_tells_how_far_it_is(path: Path, store: Store) -> None:
    conversation = store.conversations.create(title="T").id
    for n in range(300):
        store.conversations.append(conversation, None, "user", text(f"word{n} " * 200))
    kept = store.conversations.create(title="Kept").id
    store.conversations.append(kept, None, "user", text("kept"))
    store.trash.delete(conversation)
    told: list[tuple[int, int]] = []
    given_back = store.upkeep.compact(lambda done, total: told.append((done, total)))
    assert given_back > 300_000
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    sizes = sizes_of(path)
    assert (sizes.free_bytes, sizes.log_bytes) == (0, 0)
    assert store.conversations.verify() == []
    assert store.search.find("kept")


def test_compaction_that_is_interrupted_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    monkeypatch.setattr("storage.database._PROGRESS_STEPS", 1)

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.upkeep.compact(stop)
    assert store.conversations.verify() == []
    store.upkeep.compact()
    assert store.conversations.verify() == []


def test_compaction_waits_for_nobody_who_reads(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    store._database.query("PRAGMA busy_timeout=1")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM messages").fetchone()
        with pytest.raises(DatabaseLocked):
            store.upkeep.compact()
    store.upkeep.compact()
    assert store.conversations.verify() == []


@pytest.mark.parametrize("n_others", [0, 3, 40])
def test_nothing_is_left_of_what_was_deleted(path: Path, store: Store, n_others: int) -> None:
    """Not in the tables, the index, free pages or the log; neither in whole nor as words of the index."""
    secrets = ("xylophonequartz", "zugzwangvortex", "机密词语", "qwertzfilename")
    assert not any(word.encode() in bytes_of(path) for word in secrets)
    for n in range(n_others):
        other = store.conversations.create(title=f"Other {n}").id
        store.conversations.append(other, None, "user", text(f"ordinary words {n} " * 20))
    fill(store)
    gone = store.conversations.create(title=f"About {secrets[1]}").id
    question = store.conversations.append(gone, None, "user", text(f"{secrets[0]} 说{secrets[2]}呢 " * 50))
    store.conversations.append(gone, question.id, "user", text(f"again {secrets[0]}"))
    for n in range(n_others):
        other = store.conversations.create(title=f"Later {n}").id
        store.conversations.append(other, None, "user", text(f"ordinary words {n} " * 20))
    assert secrets[0].encode() in bytes_of(path)
    store.trash.put(gone)
    store.trash.empty()
    store.upkeep.compact()
    left = bytes_of(path)
    assert [word for word in secrets if word.encode() in left or word.title().encode() in left] == []
    # A prefix is stored once for words that begin alike, so a rest of the word may stand alone.
    assert b"ylophonequartz" not in left
    assert "密词".encode() not in left
    assert store.conversations.verify() == []
