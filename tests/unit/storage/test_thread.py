from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.errors import DatabaseCorrupt, NoSuchConversation
from storage.store import Store
from storage.thread import StorageThread
from tests.helpers.databases import text


@pytest.fixture
def storage(path: Path) -> Iterator[StorageThread]:
    storage = StorageThread(path)
    yield storage
    storage.close()


def test_many_threads_share_one_store(storage: StorageThread) -> None:
    conversation = storage.call(lambda store: store.conversations.create().id)

    def talk(n: int) -> list[int]:
        return [
            storage.call(
                lambda store: store.conversations.append(conversation, None, "user", text(f"{n}"))
            ).id
            for _ in range(20)
        ]

    with ThreadPoolExecutor(6) as pool:
        ids = [message_id for ids in pool.map(talk, range(6)) for message_id in ids]
    assert sorted(ids) == list(range(1, 121))
    assert storage.call(lambda store: store.conversations.verify()) == []


def test_everything_runs_on_the_same_other_thread(storage: StorageThread) -> None:
    idents = {storage.call(lambda _store: threading.get_ident()) for _ in range(5)}
    assert len(idents) == 1
    assert threading.get_ident() not in idents


def test_errors_are_raised_where_they_were_asked_for(storage: StorageThread) -> None:
    with pytest.raises(NoSuchConversation):
        storage.call(lambda store: store.conversations.get(7))
    future = storage.submit(lambda store: store.conversations.get(8))
    with pytest.raises(NoSuchConversation):
        future.result()
    assert storage.call(lambda store: store.conversations.list()) == []


def test_calling_from_within_does_not_wait_for_itself(storage: StorageThread) -> None:
    assert storage.call(lambda _: storage.call(lambda store: store.settings.get("theme"))) == "system"


def test_closing_finishes_what_was_submitted(path: Path) -> None:
    storage = StorageThread(path)
    gate = threading.Event()
    storage.submit(lambda _: gate.wait())
    futures = [storage.submit(lambda store: store.conversations.create(title="x")) for _ in range(50)]
    closer = threading.Thread(target=storage.close)
    closer.start()
    gate.set()
    closer.join()
    assert all(future.done() for future in futures)
    storage.close()
    with pytest.raises(RuntimeError):
        storage.call(lambda store: store.conversations.list())
    store = Store(path)
    assert len(store.conversations.list()) == 50
    store.close()


def test_what_opening_raises_is_raised_and_no_thread_stays(path: Path) -> None:
    path.write_bytes(b"not a database")
    before = threading.active_count()
    with pytest.raises(DatabaseCorrupt):
        StorageThread(path)
    assert threading.active_count() == before
