from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import NoSuchConversation
from storage.filters import moment_text
from storage.store import Store
from tests.helpers.databases import GENERATION, fill, text


def throw(store: Store, *titles: str) -> list[int]:
    ids = []
    for title in titles:
        conversation = store.conversations.create(title=title).id
        store.conversations.append(conversation, None, "user", text(f"word of {title}"))
        store.trash.put(conversation)
        ids.append(conversation)
    return ids


def lie_since(store: Store, conversation_id: int, moment: datetime) -> None:
    with store._database.transaction():
        store._database.execute(
            "UPDATE conversations SET deleted_at = ? WHERE id = ?", [moment_text(moment), conversation_id]
        )


def test_what_is_thrown_away_is_nowhere_and_comes_back_whole(store: Store) -> None:
    fill(store)
    before = store.conversations.get(1)
    path = store.conversations.path(1)
    store.trash.put(1)
    assert [c.title for c in store.conversations.list()] == ["Flags"]
    assert store.search.find("mixtures") == []
    assert [c.title for c in store.trash.list()] == ["Mixtures", "Nonsense"]
    assert store.conversations.path(1) == path
    assert store.conversations.verify() == []
    store.trash.restore(1)
    assert store.conversations.get(1) == before
    assert store.conversations.list()[0] == before
    assert store.search.find("mixture")


def test_throwing_away_again_keeps_the_time(store: Store) -> None:
    (a,) = throw(store, "a")
    first = store.conversations.get(a).deleted_at
    store.trash.put(a)
    assert store.conversations.get(a).deleted_at == first
    store.trash.restore(a)
    store.trash.restore(a)
    assert store.conversations.get(a).deleted_at is None


def test_who_goes_on_with_a_conversation_gets_it_back(store: Store) -> None:
    (a,) = throw(store, "a")
    head = store.conversations.get(a).head_id
    store.conversations.start_answer(a, head, GENERATION)
    assert store.conversations.get(a).deleted_at is None


def test_emptying_takes_what_lies_there_long_enough(store: Store) -> None:
    old, fresh, future = throw(store, "old", "fresh", "future")
    now = datetime.now(UTC)
    lie_since(store, old, now - timedelta(days=31))
    lie_since(store, future, now + timedelta(days=400))  # the clock was put back
    assert store.trash.empty(30) == (old,)
    assert {c.id for c in store.trash.list()} == {fresh, future}
    assert store.trash.empty(30) == ()
    assert set(store.trash.empty()) == {fresh, future}
    assert store.trash.list() == []
    with pytest.raises(NoSuchConversation):
        store.trash.restore(fresh)
    assert store.search.find("word") == []
    assert store.conversations.verify() == []


def test_what_is_not_in_the_trash_is_not_emptied(store: Store) -> None:
    fill(store)
    store.shelf.archive(2)
    assert len(store.trash.empty()) == 1
    assert {c.title for c in (store.conversations.get(1), store.conversations.get(2))} == {
        "Mixtures",
        "Flags",
    }
