"""Answers that were cut off go on where they ended, also where the context is full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.orders import Ask, Continue, Fit, Regenerate
from app.services import Services
from model_manager.errors import PromptTooLong
from storage.records import Message
from tests.helpers.asking import Heard, hear, open_services, stored

GREEDY = {"temperature": 0.0}
QUESTION = "Explain in a few sentences what a mixture of experts is."
N_CTX = 256


@pytest.fixture(scope="module")
def services(
    starter_path: Path, runtime_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    with open_services(tmp_path_factory.mktemp("data"), runtime_dir) as opened:
        opened.set_setting("n_ctx_tokens", N_CTX)
        yield opened


def path(services: Services, heard: Heard) -> list[Message]:
    conversation_id = heard.answered.answer.conversation_id
    return services.storage.call(lambda store: store.conversations.path(conversation_id))


@pytest.mark.parametrize("n_tokens", [7, 19, 30])
def test_a_cut_answer_becomes_the_whole_one(services: Services, n_tokens: int) -> None:
    whole = hear(services, Ask(QUESTION, sampling={**GREEDY, "max_tokens": 40})).answered.answer
    cut = hear(services, Ask(QUESTION, sampling={**GREEDY, "max_tokens": n_tokens})).answered.answer
    assert whole.text.startswith(cut.text)
    more = hear(services, Continue(cut.id, sampling={**GREEDY, "max_tokens": 40 - n_tokens}))
    answer = more.answered.answer
    assert answer.text == whole.text
    # What is there already comes first, as if it had arrived; the short version stays beside the long one.
    assert more.text == answer.text
    assert answer.sibling_ids == (cut.id, answer.id)
    assert stored(services, cut.id) == stored(services, cut.id)
    assert [message.id for message in path(services, more)][-1] == answer.id
    assert answer.generation is not None
    assert answer.generation.completion_tokens == 40 - n_tokens


def test_cut_reasoning_goes_on_as_reasoning(services: Services) -> None:
    model = "starter-thinking"
    cut = hear(services, Ask(QUESTION, model=model, sampling={**GREEDY, "max_tokens": 12})).answered.answer
    assert cut.reasoning
    assert not cut.text
    limits = {**GREEDY, "max_tokens": 24, "think_budget_tokens": 6}
    answer = hear(services, Continue(cut.id, model=model, sampling=limits)).answered.answer
    assert answer.reasoning.startswith(cut.reasoning)
    assert len(answer.reasoning) > len(cut.reasoning)
    assert answer.text
    # Behind the answer's own words there is no way back into the reasoning.
    more = hear(services, Continue(answer.id, model=model, sampling={**GREEDY, "max_tokens": 5}))
    assert more.answered.answer.reasoning == answer.reasoning
    assert more.answered.answer.text.startswith(answer.text)


@pytest.fixture(scope="module")
def full(services: Services) -> Message:
    """An answer that was cut off because nothing more fits into the context."""
    first = hear(services, Ask("Remember: my cat is called Tom. " * 12, sampling={**GREEDY, "max_tokens": 8}))
    conversation_id = first.answered.answer.conversation_id
    forced = {"temperature": 0.8, "seed": 3, "logit_bias": {"2": -100.0, "0": -100.0}}
    heard = hear(services, Ask("Tell me a long story about a river.", conversation_id, sampling=forced))
    answer = heard.answered.answer
    assert answer.generation is not None
    assert answer.generation.stop_reason == "context_full"
    assert heard.answered.error is None
    assert len(answer.text) > 100
    return answer


@pytest.mark.parametrize("fit", ["drop", "summary"])
def test_a_full_context_makes_room(services: Services, full: Message, fit: Fit) -> None:
    answer = full
    more = hear(services, Continue(answer.id, sampling={**GREEDY, "max_tokens": 16}, fit=fit)).answered
    assert more.error is None
    assert more.answer.text.startswith(answer.text)
    assert more.answer.generation is not None
    assert answer.generation is not None
    assert (more.answer.generation.prompt_tokens or 0) < N_CTX
    # Only the prompt was shortened: the conversation has every word.
    kept = services.storage.call(lambda store: store.conversations.path(answer.conversation_id))
    assert "Tom" in kept[0].text


def test_without_room_it_says_so_and_keeps_everything(services: Services, full: Message) -> None:
    answer = full
    more = hear(services, Continue(answer.id, sampling=GREEDY)).answered
    assert isinstance(more.error, PromptTooLong)
    assert more.answer.text == answer.text


def test_a_question_without_an_answer_is_answered(services: Services) -> None:
    first = hear(services, Ask(QUESTION, sampling={**GREEDY, "max_tokens": 5})).answered.answer
    assert first.parent_id is not None
    again = hear(services, Continue(first.parent_id, sampling={**GREEDY, "max_tokens": 5})).answered.answer
    assert again.text == first.text


def test_a_long_conversation_can_be_asked_on(services: Services, full: Message) -> None:
    answer = full
    for order in (
        Ask("And then?", answer.conversation_id, sampling={**GREEDY, "max_tokens": 5}, fit="drop"),
        Regenerate(answer.id, sampling={**GREEDY, "max_tokens": 5}, fit="drop"),
    ):
        assert hear(services, order).answered.error is None
