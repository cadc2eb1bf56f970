from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.paths import Paths
from app.services import Services
from app.upkeep import empty_trash, look_after
from storage.backups import Backups
from storage.store import Store
from tests.helpers.databases import text


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    opened = Services(Paths(tmp_path / "data"), tmp_path / "run")
    yield opened
    opened.close()


def once(services: Services) -> None:
    ended = threading.Event()
    ended.set()
    look_after(services, ended).join()


def throw_long_ago(store: Store) -> int:
    conversation = store.conversations.create(title="old").id
    store.conversations.append(conversation, None, "user", text("x"))
    store.trash.put(conversation)
    with store._database.transaction():
        store._database.execute("UPDATE conversations SET deleted_at = '2020-01-01T00:00:00.000Z'")
    return conversation


def test_what_is_due_is_done_once(services: Services) -> None:
    services.storage.call(throw_long_ago)
    once(services)
    assert services.storage.call(lambda store: store.trash.list()) == []
    (made,) = Backups(services.paths.database).list()
    assert made.kind == "auto"
    once(services)
    assert Backups(services.paths.database).list() == [made]


def test_a_program_that_stays_looks_again(services: Services) -> None:
    ended = threading.Event()
    thread = look_after(services, ended, every_s=0.01)
    services.storage.call(throw_long_ago)
    while services.storage.call(lambda store: store.trash.list()):
        thread.join(0.01)
        assert thread.is_alive()
    ended.set()
    thread.join()


def test_settings_turn_it_off(services: Services) -> None:
    services.set_setting("trash_days", 0)
    services.set_setting("backup_every_days", 0)
    services.storage.call(throw_long_ago)
    once(services)
    assert empty_trash(services) == 0
    assert len(services.storage.call(lambda store: store.trash.list())) == 1
    assert Backups(services.paths.database).list() == []


def test_program_that_ends_meanwhile_hears_nothing_of_it(services: Services) -> None:
    services.close()
    once(services)
