from __future__ import annotations

import dataclasses

import pytest

from storage.records import Filter, Generation, Part, Thought, ThoughtOrder
from storage.store import Store
from tests.helpers.databases import GENERATION


def add(store: Store, conversation_id: int, tokens: int, **how: object) -> int:
    generation = dataclasses.replace(GENERATION, reasoning_tokens=tokens, **how)
    parts = [Part("reasoning", "Hm."), Part("text", "Yes.")]
    return store.conversations.append(conversation_id, None, "assistant", parts, generation=generation).id


@pytest.fixture
def answers(store: Store) -> list[int]:
    first, second = (store.conversations.create(title=title).id for title in ("One", "Two"))
    return [
        add(store, first, 10, completion_tokens=20, reasoning_ms=1000.0, thinking_ended_by="model"),
        add(store, first, 30, completion_tokens=300, reasoning_ms=None, thinking_ended_by="budget"),
        add(store, second, 20, completion_tokens=20, reasoning_ms=500.0, model_name="other", effort="high"),
        add(store, second, 0, completion_tokens=5),
    ]


def ids(thoughts: list[Thought]) -> list[int]:
    return [thought.message_id for thought in thoughts]


@pytest.mark.parametrize(
    ("order", "places"),
    [
        ("newest", [2, 1, 0]),
        ("tokens", [1, 2, 0]),
        ("time", [0, 2, 1]),
        ("rate", [2, 0, 1]),
        ("share", [2, 0, 1]),
    ],
)
def test_orders(store: Store, answers: list[int], order: ThoughtOrder, places: list[int]) -> None:
    assert ids(store.thoughts.list(order=order)) == [answers[place] for place in places]


def test_filters(store: Store, answers: list[int]) -> None:
    assert ids(store.thoughts.list(ended_by="budget")) == [answers[2], answers[1]]
    assert ids(store.thoughts.list(min_tokens=15)) == [answers[2], answers[1]]
    assert ids(store.thoughts.list(Filter(model="other"))) == [answers[2]]
    assert ids(store.thoughts.list(effort="high")) == [answers[2]]
    assert ids(store.thoughts.list(limit=1)) == [answers[2]]
    store.trash.put(store.conversations.message(answers[0]).conversation_id)
    assert ids(store.thoughts.list()) == [answers[2]]


def test_what_a_thought_took(store: Store, answers: list[int]) -> None:
    (thought,) = store.thoughts.list(ended_by="model")
    assert (thought.title, thought.share, thought.tokens_per_s) == ("One", 0.5, 10.0)
    assert thought.effort == "low"
    slow = store.thoughts.list(order="tokens")[0]
    assert (slow.share, slow.tokens_per_s) == (0.1, None)


def test_costs_by_model(store: Store, answers: list[int]) -> None:
    starter, other = store.costs.by_model()
    assert (starter.model_name, starter.n_answers, starter.completion_tokens) == ("starter", 3, 325)
    assert (starter.reasoning_tokens, starter.cached_tokens, starter.energy_j) == (40, 12, None)
    assert other.n_answers == 1
    assert other.duration_s >= 0
    second = store.conversations.message(answers[2]).conversation_id
    found = store.costs.by_model(second)
    assert [(c.model_name, c.n_answers) for c in found] == [("other", 1), ("starter", 1)]


def test_energy_is_summed_where_it_is_known(store: Store) -> None:
    conversation = store.conversations.create()
    how: Generation
    for how in (GENERATION, dataclasses.replace(GENERATION, energy_j=7.5)):
        store.conversations.append(conversation.id, None, "assistant", [Part("text", "Hi")], generation=how)
    (cost,) = store.costs.by_model()
    assert cost.energy_j == 7.5
