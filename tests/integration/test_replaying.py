"""Stored answers made once more by a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.answering import Answered
from app.engines import LoadCancelled
from app.errors import NotAnAnswer
from app.orders import Ask, Order, Regenerate
from app.paths import Paths
from app.services import Services
from model_manager.engine.client import Cancel
from storage.records import Message


@pytest.fixture(scope="module")
def services(
    starter_path: Path, runtime_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    services = Services(Paths(tmp_path_factory.mktemp("data")), runtime_dir)
    yield services
    services.close()


def answered(services: Services, order: Order) -> Message:
    *_, last = services.answering.answer(order, Cancel())
    assert isinstance(last, Answered)
    return last.answer


@pytest.fixture(scope="module")
def sampled(services: Services) -> Message:
    """An answer with a seed and a temperature."""
    how = {"max_tokens": 20, "temperature": 0.9, "seed": 11}
    return answered(services, Ask("Name three rivers.", sampling=how))


def test_an_answer_comes_out_again(services: Services, sampled: Message) -> None:
    replayed = services.replaying.replay(sampled.id, Cancel())
    assert replayed.difference is None
    assert replayed.is_prompt_same
    assert replayed.n_tokens == 20
    assert replayed.engine_then == replayed.engine_now


def test_nothing_is_stored_by_it(services: Services, sampled: Message) -> None:
    before = services.storage.call(lambda store: store.conversations.path(sampled.conversation_id))
    services.replaying.replay(sampled.id, Cancel())
    after = services.storage.call(lambda store: store.conversations.path(sampled.conversation_id))
    assert before == after


def test_a_new_instruction_is_told(services: Services) -> None:
    stored = answered(services, Ask("Say hello.", sampling={"max_tokens": 12, "temperature": 0.0}))
    services.storage.call(
        lambda store: store.conversations.configure(
            stored.conversation_id, system_prompt="Speak Latin only.", model_name=None, sampling={}
        )
    )
    replayed = services.replaying.replay(stored.id, Cancel())
    assert not replayed.is_prompt_same


def test_the_first_other_token_is_told(services: Services, sampled: Message) -> None:
    tokens = services.storage.call(lambda store: store.traces.get(sampled.id, "answer_tokens"))
    assert tokens is not None
    other = tokens.tolist()
    other[7] = 5
    services.storage.call(lambda store: store.traces.put(sampled.id, {"answer_tokens": other}))
    replayed = services.replaying.replay(sampled.id, Cancel())
    services.storage.call(lambda store: store.traces.put(sampled.id, {"answer_tokens": tokens}))
    assert replayed.difference is not None
    assert replayed.difference.index == 7
    assert replayed.difference.stored != replayed.difference.replayed


def test_only_answers_can_be_made_again(services: Services, sampled: Message) -> None:
    assert sampled.parent_id is not None
    question_id = sampled.parent_id
    with pytest.raises(NotAnAnswer):
        services.replaying.replay(question_id, Cancel())


def test_cancelling_ends_it(services: Services, sampled: Message) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(LoadCancelled):
        services.replaying.replay(sampled.id, cancel)


def test_again_with_another_seed_is_another_version(services: Services, sampled: Message) -> None:
    assert sampled.generation is not None
    how = {**sampled.generation.parameters, "seed": 12}
    services.storage.call(
        lambda store: store.conversations.configure(
            sampled.conversation_id, system_prompt="", model_name=None, sampling={"max_tokens": 3}
        )
    )
    again = answered(services, Regenerate(sampled.id, sampling=how, is_whole=True))
    assert again.parent_id == sampled.parent_id
    assert again.generation is not None
    # What was set for the conversation meanwhile does not count.
    assert again.generation.completion_tokens == 20
    ignored = ("seed",)
    then, now = (
        {name: value for name, value in m.generation.parameters.items() if name not in ignored}
        for m in (sampled, again)
        if m.generation
    )
    assert then == now
