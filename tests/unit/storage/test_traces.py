from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storage.errors import NoSuchMessage
from storage.records import Message, PackedArray
from storage.store import Store
from tests.helpers.databases import read_sql, run_sql, text


@pytest.fixture
def answer(store: Store) -> Message:
    conversation = store.conversations.create()
    question = store.conversations.append(conversation.id, None, "user", text("Hi"))
    return store.conversations.append(conversation.id, question.id, "assistant", text("Ho"))


def test_arrays_come_back_as_they_were(store: Store, answer: Message) -> None:
    experts = np.array([[[3, 1], [0, -1]]], np.int64)
    weights = np.array([[[0.75, 0.25], [1, 0]]])
    tokens = np.array([2**31 - 1, 0, 7])
    store.traces.put(
        answer.id, {"answer_tokens": tokens, "experts": experts, "expert_weights": weights.astype(np.float32)}
    )
    assert store.traces.kinds(answer.id) == {"answer_tokens", "experts", "expert_weights"}
    for kind, expected in (("answer_tokens", tokens), ("experts", experts), ("expert_weights", weights)):
        found = store.traces.get(answer.id, kind)  # type: ignore[arg-type]  # of a literal tuple
        assert found is not None
        assert found.tolist() == expected.tolist()
    assert store.conversations.verify() == []


def test_packed_arrays_are_arrays(store: Store, answer: Message) -> None:
    experts = np.arange(12, dtype="<i2")
    store.traces.put(answer.id, {"experts": PackedArray((2, 3, 2), experts.tobytes())})
    found = store.traces.get(answer.id, "experts")
    assert found is not None
    assert found.tolist() == experts.reshape(2, 3, 2).tolist()
    with pytest.raises(ValueError, match="reshape"):
        store.traces.put(answer.id, {"experts": PackedArray((2, 3, 3), experts.tobytes())})


def test_an_empty_array_is_one(store: Store, answer: Message) -> None:
    store.traces.put(answer.id, {"prompt_tokens": np.array([], np.int32)})
    found = store.traces.get(answer.id, "prompt_tokens")
    assert found is not None
    assert found.shape == (0,)


def test_what_is_not_there_is_none(store: Store, answer: Message) -> None:
    assert store.traces.get(answer.id, "experts") is None
    assert store.traces.get(99, "experts") is None


def test_a_second_array_replaces_the_first(store: Store, answer: Message) -> None:
    for number in (1, 2):
        store.traces.put(answer.id, {"answer_tokens": np.array([number])})
    found = store.traces.get(answer.id, "answer_tokens")
    assert found is not None
    assert found.tolist() == [2]


def test_traces_go_with_their_conversation(store: Store, answer: Message, path: Path) -> None:
    store.traces.put(answer.id, {"answer_tokens": np.array([1])})
    store.trash.delete(answer.conversation_id)
    assert read_sql(path, "SELECT count(*) FROM traces") == [(0,)]
    with pytest.raises(NoSuchMessage):
        store.traces.put(answer.id, {"answer_tokens": np.array([1])})


def test_numbers_of_another_form_are_refused(store: Store, answer: Message) -> None:
    with pytest.raises(ValueError, match="dimensions"):
        store.traces.put(answer.id, {"experts": np.array([1])})


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("data = x'00'", "cannot be read"),
        ("data = substr(data, 1, length(data) - 6)", "cannot be read"),
        ("shape = '[7]'", "length"),
        ("shape = '[1, 2]'", "shape"),
        ("shape = '[99999999999]'", "shape"),
        ("shape = '{}'", "shape"),
        ("shape = 'x'", "cannot be read"),
        ("dtype = '<f4'", "numbers"),
        ("message_id = 1", "no answer"),
    ],
)
def test_a_row_that_lies_is_found_and_not_read(
    store: Store, answer: Message, path: Path, change: str, word: str
) -> None:
    store.traces.put(answer.id, {"answer_tokens": np.arange(1000)})
    run_sql(path, f"UPDATE traces SET {change}")
    assert store.traces.get(answer.id, "answer_tokens") is None
    (problem,) = store.conversations.verify()
    assert word in problem


def test_an_id_below_zero_is_found(store: Store, answer: Message) -> None:
    store.traces.put(answer.id, {"answer_tokens": np.array([5, -1])})
    (problem,) = store.conversations.verify()
    assert "below 0" in problem
