from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage.records import Generation, Part, Speed
from storage.store import Store


def answer(
    store: Store, decode: float | None, n_tokens: int, prefill: float | None = 50.0, model: str = "m"
) -> None:
    conversation = store.conversations.create()
    made = Generation(
        model, completion_tokens=n_tokens, decode_tokens_per_s=decode, prefill_tokens_per_s=prefill
    )
    store.conversations.append(conversation.id, None, "assistant", [Part("text", "x")], generation=made)


def test_medians_of_answers_that_say_something(store: Store) -> None:
    assert store.speeds.of("m") is None
    assert store.speeds.all() == {}
    answer(store, None, 500)
    answer(store, 900.0, 3)
    assert store.speeds.of("m") is None
    for rate, prefill in ((10.0, 40.0), (12.0, None), (30.0, 60.0)):
        answer(store, rate, 100, prefill)
    assert store.speeds.of("m") == Speed(12.0, 50.0, 3)
    assert store.speeds.of("other") is None
    assert store.speeds.all() == {"m": Speed(12.0, 50.0, 3)}
    answer(store, 7.0, 100, None, model="a model")
    assert store.speeds.all() == {"a model": Speed(7.0, None, 1), "m": Speed(12.0, 50.0, 3)}


def test_the_last_use_is_noted(store: Store) -> None:
    assert store.speeds.uses() == {}
    before = datetime.now(UTC) - timedelta(seconds=1)
    store.speeds.mark_used("m")
    store.speeds.mark_used("m")
    (used_at,) = store.speeds.uses().values()
    assert before < used_at <= datetime.now(UTC)
