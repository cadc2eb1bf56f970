from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.recorder import Recorder
from model_manager.types import (
    ChatFinished,
    Likelihood,
    ReasoningDelta,
    TextDelta,
    Timings,
    TokenLogprobs,
    Usage,
)
from storage.errors import DatabaseDiskFull
from storage.records import Generation, Message, Part
from storage.store import Store
from storage.thread import StorageThread


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[StorageThread]:
    thread = StorageThread(tmp_path / "coterie.sqlite")
    yield thread
    thread.close()


@pytest.fixture
def answer(storage: StorageThread) -> Message:
    def begin(store: Any) -> Message:
        conversation = store.conversations.create()
        question = store.conversations.append(conversation.id, None, "user", [Part("text", "Hi")])
        return store.conversations.start_answer(conversation.id, question.id, Generation("m"))  # type: ignore[no-any-return]  # a Store

    return storage.call(begin)


@pytest.fixture
def recorder(storage: StorageThread, answer: Message) -> Recorder:
    return Recorder(storage, answer, Generation("m"))


def _stored(storage: StorageThread, answer: Message) -> Message:
    return storage.call(lambda store: store.conversations.message(answer.id))


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_flushes_by_itself(storage: StorageThread, answer: Message, recorder: Recorder) -> None:
    assert not recorder.has_text
    recorder.add(ReasoningDelta("hm"))
    recorder.add(TextDelta("One "))
    recorder.add(TextDelta("two"))
    assert recorder.has_text
    expected = (Part("reasoning", "hm"), Part("text", "One two"))
    _wait_until(lambda: _stored(storage, answer).parts == expected)
    assert _stored(storage, answer).status == "streaming"
    recorder.add(TextDelta(" three"))
    _wait_until(lambda: _stored(storage, answer).text == "One two three")
    recorder.finish("complete", None, "stop")


def test_finish_stores_everything(storage: StorageThread, answer: Message, recorder: Recorder) -> None:
    recorder.set_engine("llama.cpp")
    recorder.add(ReasoningDelta("hm"))
    recorder.add(ReasoningDelta("m"))
    recorder.add(TextDelta("Yes."))
    finished = ChatFinished("stop", Usage(5, 2, 4, 2), Timings(10.0, 100.0, 20.0), seed=7)
    message = recorder.finish("complete", finished, "stop")
    assert message == _stored(storage, answer)
    assert (message.status, message.reasoning, message.text) == ("complete", "hmm", "Yes.")
    generation = message.generation
    assert generation is not None
    assert generation.engine == "llama.cpp"
    assert generation.parameters["seed"] == 7
    assert (generation.prompt_tokens, generation.cached_tokens) == (5, 2)
    assert (generation.completion_tokens, generation.reasoning_tokens) == (4, 2)
    assert generation.reasoning_ms is not None
    assert generation.reasoning_ms >= 0


def test_how_it_was_loaded_and_how_likely_its_tokens_were_are_kept(
    storage: StorageThread, answer: Message, recorder: Recorder
) -> None:
    recorder.set_engine("llama.cpp", {"n_ctx_tokens": 512}, "ab" * 32)
    recorder.add(ReasoningDelta("hm"))
    recorder.add(TextDelta("Yes."))
    yes, no = Likelihood(5, b"Yes", -0.25), Likelihood(6, b"No", -1.5)
    recorder.add_logprobs(TokenLogprobs(yes, (yes, no)))
    recorder.add_logprobs(TokenLogprobs(Likelihood(7, b".", -0.5), (no,)))
    usage, timings = Usage(5, 2, 4, 2), Timings(10.0, 100.0, 20.0)
    finished = ChatFinished("stop", usage, timings, seed=7, reasoning_ended_by="budget")
    generation = recorder.finish("complete", finished, "stop").generation
    assert generation is not None
    assert (generation.load_plan, generation.template_sha256) == ({"n_ctx_tokens": 512}, "ab" * 32)
    assert generation.thinking_ended_by == "budget"

    def traces(store: Store) -> list[Any]:
        found = (store.traces.get(answer.id, kind) for kind in ("logprobs", "top_tokens", "top_logprobs"))
        return [trace.tolist() for trace in found if trace is not None]

    assert storage.call(traces) == [[-0.25, -0.5], [[5, 6], [6, -1]], [[-0.25, -1.5], [-1.5, -9999.0]]]
    assert storage.call(lambda store: store.conversations.verify()) == []


def test_finish_without_a_word(recorder: Recorder) -> None:
    message = recorder.finish("failed", None, "error", ValueError("why"))
    assert (message.status, message.parts) == ("failed", ())
    assert message.generation is not None
    assert message.generation.error == "ValueError: why"
    assert message.generation.reasoning_ms is None


def test_full_disk_is_told_at_the_end(storage: StorageThread, answer: Message, recorder: Recorder) -> None:
    def fill(store: Any) -> None:
        (n_pages,) = store._database.query("PRAGMA page_count")[0]
        store._database.query(f"PRAGMA max_page_count={n_pages}")

    recorder.add(TextDelta("kept"))
    _wait_until(lambda: _stored(storage, answer).text == "kept")
    storage.call(fill)
    recorder.add(TextDelta(" lost" * 20_000))
    with pytest.raises(DatabaseDiskFull):
        recorder.finish("complete", None, "stop")
    assert (_stored(storage, answer).status, _stored(storage, answer).text) == ("streaming", "kept")


def test_room_again_after_a_full_disk(storage: StorageThread, answer: Message, recorder: Recorder) -> None:
    storage.call(lambda store: store._database.query("PRAGMA max_page_count=1"))
    recorder.add(TextDelta("long " * 20_000))
    storage.call(lambda store: store._database.query("PRAGMA max_page_count=1000000"))
    _wait_until(lambda: len(_stored(storage, answer).text) == 100_000)
    assert recorder.finish("complete", None, "stop").status == "complete"
