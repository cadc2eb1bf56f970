"""Answers made by a real worker and kept in a real database, however they end."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app.answering import Answered, AnswerEvent, Started
from app.orders import Ask, Edit, Order, Regenerate
from app.paths import Paths
from app.services import Services
from model_manager.engine.client import Cancel
from model_manager.errors import EmptyPrompt, EngineDied, LoadFailed, ModelNotFound, PromptTooLong
from model_manager.types import EngineState, ReasoningDelta, TextDelta
from storage.errors import NoSuchConversation
from storage.records import Message, Part
from storage.store import Store
from tests.helpers.ggufs import CHATML, write_model

SHORT = {"max_tokens": 6, "temperature": 0.0}
LONG = {"max_tokens": 2000, "temperature": 0.8, "seed": 7}
STORY = "Tell me a very long story about a river and the people who live beside it."


@pytest.fixture(scope="module")
def services(
    starter_path: Path, runtime_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("data")
    services = Services(Paths(folder), runtime_dir)
    yield services
    services.close()


def answer(services: Services, order: Order, cancel: Cancel | None = None) -> list[AnswerEvent]:
    return list(services.answering.answer(order, cancel or Cancel()))


def ends(events: list[AnswerEvent]) -> tuple[Started, Answered]:
    started, answered = events[0], events[-1]
    assert isinstance(started, Started)
    assert isinstance(answered, Answered)
    return started, answered


def path(services: Services, conversation_id: int) -> list[Message]:
    return services.storage.call(lambda store: store.conversations.path(conversation_id))


def n_rows(services: Services) -> int:
    connection = sqlite3.connect(f"file:{services.paths.database}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM messages").fetchone()[0])
    finally:
        connection.close()


def test_answer_is_streamed_and_kept(services: Services) -> None:
    started, answered = ends(
        events := answer(services, Ask("What is the capital of France?", sampling=SHORT))
    )
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    question, stored = path(services, started.conversation.id)
    assert question.text == "What is the capital of France?"
    assert stored == answered.answer
    assert (stored.text, stored.status) == (text, "complete")
    assert started.conversation.title == "What is the capital of France?"
    assert started.conversation.title_is_automatic
    generation = stored.generation
    assert generation is not None
    assert (generation.model_name, generation.stop_reason) == ("starter", "length")
    assert generation.model_sha256
    assert generation.engine
    assert generation.completion_tokens == 6
    assert generation.ttft_ms
    assert generation.parameters["temperature"] == 0.0
    assert isinstance(generation.parameters["seed"], int)


def test_tokens_of_an_answer_are_kept(services: Services) -> None:
    _, answered = ends(answer(services, Ask("Hi", sampling={"max_tokens": 12})))
    assert answered.finished is not None
    tokens = answered.finished.tokens
    assert tokens is not None
    assert len(tokens.prompt) == answered.finished.usage.prompt_tokens
    assert len(tokens.answer) == answered.finished.usage.completion_tokens
    for kind, expected in (("prompt_tokens", tokens.prompt), ("answer_tokens", tokens.answer)):
        kept = services.storage.call(lambda store, kind=kind: store.traces.get(answered.answer.id, kind))
        assert kept.tolist() == list(expected)
    assert services.storage.call(lambda store: store.conversations.verify()) == []


def test_cancelled_answer_keeps_the_tokens_that_had_arrived(services: Services) -> None:
    cancel = Cancel()
    answered = when_streaming(services, cancel.set, cancel)
    kept = services.storage.call(lambda store: store.traces.get(answered.answer.id, "answer_tokens"))
    assert kept is not None
    assert len(kept) > 0


def test_second_turn_computes_only_what_is_new(services: Services) -> None:
    started, first = ends(answer(services, Ask("Count to three.", system_prompt="Be brief.", sampling=SHORT)))
    _, second = ends(answer(services, Ask("And on.", started.conversation.id, sampling=SHORT)))
    assert first.finished is not None
    assert second.finished is not None
    usage = first.finished.usage
    assert second.finished.usage.cached_tokens >= usage.prompt_tokens + usage.completion_tokens - 1
    assert [message.role for message in path(services, started.conversation.id)] == ["user", "assistant"] * 2


def test_regenerated_answer_is_a_version(services: Services) -> None:
    started, first = ends(answer(services, Ask("Name a colour.", sampling=SHORT)))
    again, second = ends(answer(services, Regenerate(first.answer.id, sampling={"max_tokens": 3})))
    assert again.question is None
    assert second.answer.sibling_ids == (first.answer.id, second.answer.id)
    assert second.answer.parent_id == first.answer.parent_id
    assert path(services, started.conversation.id)[-1].id == second.answer.id


def test_unanswered_question_can_be_answered(services: Services) -> None:
    """What a crash between the question and its answer leaves."""
    conversation = services.storage.call(lambda store: store.conversations.create(title="left"))
    question = services.storage.call(
        lambda store: store.conversations.append(conversation.id, None, "user", [Part("text", "Why?")])
    )
    _, answered = ends(answer(services, Regenerate(question.id, sampling=SHORT)))
    assert answered.answer.parent_id == question.id


def test_edited_question_is_a_version(services: Services) -> None:
    started, _ = ends(answer(services, Ask("Name a fruit.", sampling=SHORT)))
    assert started.question is not None
    edited, answered = ends(answer(services, Edit(started.question.id, "Name a tree.", sampling=SHORT)))
    assert edited.question is not None
    assert [message.text for message in path(services, started.conversation.id)] == [
        "Name a tree.",
        answered.answer.text,
    ]
    assert edited.question.sibling_ids == (started.question.id, edited.question.id)


def test_reasoning_is_kept_apart_and_timed(services: Services) -> None:
    order = Ask(
        "Why is the sky blue?",
        model="starter-thinking",
        sampling={"max_tokens": 40, "think_budget_tokens": 12, "temperature": 0.0},
    )
    events = answer(services, order)
    _, answered = ends(events)
    stored = answered.answer
    assert stored.reasoning == "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    assert stored.reasoning
    assert stored.text
    assert [part.kind for part in stored.parts] == ["reasoning", "text"]
    assert stored.generation is not None
    assert stored.generation.reasoning_ms
    assert stored.generation.reasoning_tokens


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_empty_question_is_refused_before_anything_is_stored(services: Services, text: str) -> None:
    before = n_rows(services)
    with pytest.raises(EmptyPrompt):
        answer(services, Ask(text))
    assert n_rows(services) == before


def test_unknown_names_are_refused_before_anything_is_stored(services: Services) -> None:
    before = n_rows(services)
    with pytest.raises(ModelNotFound):
        answer(services, Ask("Hello", model="nobody"))
    with pytest.raises(NoSuchConversation):
        answer(services, Ask("Hello", 999_999))
    assert n_rows(services) == before


def test_question_that_cannot_be_answered_is_kept(services: Services) -> None:
    started, answered = ends(answer(services, Ask("word " * 9000)))
    assert isinstance(answered.error, PromptTooLong)
    question, failed = path(services, started.conversation.id)
    assert question.text == "word " * 9000
    assert (failed.status, failed.parts) == ("failed", ())
    assert failed.generation is not None
    assert failed.generation.stop_reason == "error"
    assert "PromptTooLong" in str(failed.generation.error)


def test_model_that_does_not_load_keeps_the_question(services: Services, tmp_path: Path) -> None:
    strange = write_model(tmp_path / "strange.gguf")
    strange.write_bytes(strange.read_bytes().replace(b"token_embd.weight", b"token_embd.weighT"))
    started, answered = ends(answer(services, Ask("Hello", model=str(strange))))
    assert isinstance(answered.error, LoadFailed)
    assert [message.status for message in path(services, started.conversation.id)] == ["complete", "failed"]


def when_streaming(services: Services, act: Callable[[], None], cancel: Cancel | None = None) -> Answered:
    """Acts as soon as text has arrived; everything else is read to its end."""
    answered = None
    has_acted = False
    for event in services.answering.answer(Ask(STORY, sampling=LONG), cancel or Cancel()):
        if isinstance(event, TextDelta) and not has_acted:
            has_acted = True
            act()
        if isinstance(event, Answered):
            answered = event
    assert has_acted
    assert answered is not None
    return answered


def test_cancelled_answer_keeps_what_had_arrived(services: Services) -> None:
    cancel = Cancel()

    def from_elsewhere() -> None:
        thread = threading.Thread(target=cancel.set)
        thread.start()
        thread.join()

    answered = when_streaming(services, from_elsewhere, cancel)
    stored = answered.answer
    assert answered.error is None
    assert (stored.status, stored.generation and stored.generation.stop_reason) == ("complete", "cancelled")
    assert stored.text


def test_cancel_before_the_model_is_asked(services: Services) -> None:
    cancel = Cancel()
    cancel.set()
    started, answered = ends(answer(services, Ask("Hello", sampling=SHORT), cancel))
    assert answered.answer.generation is not None
    assert answered.answer.generation.stop_reason == "cancelled"
    assert path(services, started.conversation.id)[0].text == "Hello"


def test_closing_the_iterator_cancels(services: Services) -> None:
    events = services.answering.answer(Ask(STORY, sampling=LONG), Cancel())
    started = next(events)
    assert isinstance(started, Started)
    while not isinstance(next(events), TextDelta):
        pass
    events.close()
    stored = path(services, started.conversation.id)[-1]
    assert stored.status == "complete"
    assert stored.generation is not None
    assert stored.generation.stop_reason == "cancelled"
    assert stored.text


def test_text_is_flushed_also_while_nobody_reads(services: Services) -> None:
    """A terminal that is held up, or a slow reader, must not keep text from the disk."""
    events = services.answering.answer(Ask(STORY, sampling=LONG), Cancel())
    started = next(events)
    assert isinstance(started, Started)
    while not isinstance(event := next(events), TextDelta):
        pass
    deadline = time.monotonic() + 20
    while not (seen := services.storage.call(lambda store: _text(store, started.answer.id))):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert seen.startswith(event.text)
    events.close()


def _text(store: Store, message_id: int) -> str:
    return store.conversations.message(message_id).text


def test_killed_worker_is_an_event_and_the_next_answer_works(
    services: Services, expected_logs: Callable[[str], None]
) -> None:
    states: list[EngineState] = []
    services.engines.subscribe(states.append)

    def kill() -> None:
        pid = services.engines.worker_pid
        assert pid is not None
        psutil.Process(pid).send_signal(signal.SIGKILL)

    answered = when_streaming(services, kill)
    assert isinstance(answered.error, EngineDied)
    assert answered.error.signal == signal.SIGKILL
    assert answered.answer.status == "interrupted"
    assert answered.answer.text
    assert answered.answer.generation is not None
    assert answered.answer.generation.stop_reason == "error"
    _, good = ends(answer(services, Ask("Hello", sampling=SHORT)))
    assert good.answer.status == "complete"
    assert [state.status for state in states if state.status != "loading"] == ["failed", "ready"]


def test_two_answers_at_once(services: Services) -> None:
    results: list[Answered] = []

    def ask(text: str) -> None:
        results.append(ends(answer(services, Ask(text, sampling={"max_tokens": 20})))[1])

    threads = [threading.Thread(target=ask, args=(text,)) for text in ("Say one.", "Say two.")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answered.answer.status for answered in results] == ["complete", "complete"]
    assert results[0].answer.conversation_id != results[1].answer.conversation_id


def test_another_model_waits_for_the_answer_that_runs(services: Services) -> None:
    """Where there is memory for one, an answer in its middle is never cut off by a choice elsewhere."""
    services.set_setting("models_memory_bytes", 1)
    first = services.answering.answer(Ask(STORY, sampling={"max_tokens": 60, "seed": 1}), Cancel())
    while not isinstance(next(first), TextDelta):
        pass
    other: list[AnswerEvent] = []
    order = Ask("Hello", model="starter-dense", sampling=SHORT)
    thread = threading.Thread(target=lambda: other.extend(answer(services, order)))
    thread.start()
    (answered,) = [event for event in first if isinstance(event, Answered)]
    assert answered.answer.generation is not None
    assert answered.answer.generation.completion_tokens == 60
    thread.join(60)
    assert ends(other)[1].answer.generation is not None
    assert services.engines.state.name == "starter-dense"
    before = services.engines.worker_pid
    ends(answer(services, Ask("Hello", sampling=SHORT)))
    assert services.engines.worker_pid != before


def test_context_setting_loads_the_model_anew(services: Services) -> None:
    services.set_setting("n_ctx_tokens", 512)
    _, answered = ends(answer(services, Ask("word " * 600)))
    assert isinstance(answered.error, PromptTooLong)
    assert answered.error.n_ctx_tokens == 512
    services.set_setting("n_ctx_tokens", 0)
    _, answered = ends(answer(services, Ask("Hello", sampling=SHORT)))
    assert answered.error is None
    info = services.engines.state.info
    assert info is not None
    assert info.n_ctx_tokens > 512


def test_what_its_makers_recommend_holds_where_nobody_says_otherwise(
    services: Services, tmp_path: Path
) -> None:
    told = {"general.sampling.temp": 0.3, "general.sampling.top_k": 7}
    name = services.library.import_path(write_model(tmp_path / "tuned.gguf", metadata=told)).name
    started, _ = ends(answer(services, Ask("Hello", model=name, sampling={"max_tokens": 2, "top_k": 9})))
    generation = started.answer.generation
    assert generation is not None
    chosen = generation.parameters
    assert (chosen["temperature"], chosen["top_k"], chosen["top_p"]) == (0.3, 9, 0.95)


EFFORT = "{% if reasoning_effort is defined %}Effort: {{ reasoning_effort }}\n{% endif %}" + CHATML


def test_the_effort_is_told_to_a_template_that_takes_one_and_kept(services: Services, tmp_path: Path) -> None:
    takes = services.library.import_path(write_model(tmp_path / "takes.gguf", chat_template=EFFORT)).name
    sampling = {"max_tokens": 2, "reasoning_effort": "low"}
    _started, answered = ends(answer(services, Ask("Hello", model=takes, conversation_sampling=sampling)))
    made = answered.answer.generation
    assert made is not None
    assert (made.effort, made.parameters["reasoning_effort"]) == ("low", "low")
    again = ends(answer(services, Regenerate(answered.answer.id, sampling={"reasoning_effort": "high"})))[1]
    assert again.answer.generation is not None
    assert again.answer.generation.effort == "high"
    order = Ask("Hello", model="starter", sampling=sampling)
    without = ends(answer(services, order))[1].answer.generation
    assert without is not None
    assert without.effort is None


def prompt_of(services: Services, answered: Answered) -> list[int]:
    ids = services.storage.call(lambda store: store.traces.get(answered.answer.id, "prompt_tokens"))
    assert ids is not None
    return list(ids)


def test_tools_that_an_imported_answer_used_are_told_to_any_model(services: Services) -> None:
    used = [
        Part("tool_call", '{"q": "moe"}', "search", "c1"),
        Part("tool_result", "found", call_id="c1"),
        Part("text", "Found."),
    ]

    def plant(store: Store) -> int:
        conversation = store.conversations.create(sampling={"max_tokens": 2})
        question = store.conversations.append(conversation.id, None, "user", [Part("text", "Where?")])
        store.conversations.append(conversation.id, question.id, "assistant", used)
        return conversation.id

    conversation_id = services.storage.call(plant)
    answered = ends(answer(services, Ask("And?", conversation_id, model="starter")))[1]
    assert answered.error is None
    prompt = "".join(pieces(services, prompt_of(services, answered)))
    assert 'search({"q": "moe"})' in prompt
    assert "-> found" in prompt


def pieces(services: Services, ids: list[int]) -> list[str]:
    with services.engines.use(services.library.get("starter"), Cancel()) as engine:
        return list(engine.client.pieces([int(token_id) for token_id in ids]))
