"""An answer on its way from the decode thread to the event loop."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

from model_manager.engine.answer_reader import AnswerPlan, AnswerReader
from model_manager.engine.answers import HEARTBEAT, Answer
from model_manager.engine.cursor import MarkerTokens
from model_manager.engine.dialects import PLAIN, Dialect
from model_manager.engine.families import Family, MarkerPair
from model_manager.engine.jobs import CONTINUE, Ending, Feed, Stop
from model_manager.errors import DecodeFailed, EngineError
from model_manager.types import StopReason, Timings

CLOSE_ID, WORD_ID = 2, 9


class Vocabulary:
    """The two markers are tokens."""

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> list[int]:
        raise AssertionError("each marker is one token")

    def piece(self, token_id: int, *, special: bool = False) -> bytes:
        raise AssertionError("each marker is one token")

    def token_id(self, text: str) -> int | None:
        return {"<think>": 1, "</think>": CLOSE_ID}.get(text)


PAIR = MarkerPair("<think>", "</think>")
THINKING = Dialect(
    Family("thinking", reasoning=PAIR),
    MarkerTokens((PAIR.opening, PAIR.closing), Vocabulary()),
    feed=(CLOSE_ID, 10),
)


class Touches:
    def __init__(self) -> None:
        self.n = 0
        self.n_answers = 1

    def touch(self) -> None:
        self.n += 1


def plan(**changes: Any) -> AnswerPlan:
    fields: dict[str, Any] = {
        "id": "id",
        "model": "m",
        "dialect": PLAIN,
        "start": "turn",
        "budget_tokens": None,
        "stop": (),
        "wants_progress": False,
        "wants_usage_apart": False,
        **changes,
    }
    return AnswerPlan(**fields)


def ending(reason: StopReason = "stop", error: EngineError | None = None) -> Ending:
    return Ending(reason, error, 5, 2, 3, Timings(1.0, 2.0, 3.0), 7)


def stream(work: Callable[[Answer], None], **changes: Any) -> tuple[list[Any], Answer]:
    """Let `work` play the decode thread; gives the chunks that arrive."""

    async def run() -> tuple[list[bytes], Answer]:
        answer = Answer(plan(**changes), Touches())
        decode = threading.Thread(target=work, args=(answer,))
        decode.start()
        gathered = [chunk async for chunk in answer.events()]
        decode.join()
        return gathered, answer

    gathered, answer = asyncio.run(run())
    blocks = b"".join(gathered).decode().split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-2]], answer


def test_tokens_become_events_in_order() -> None:
    words = [f" w{n}" for n in range(500)]

    def work(answer: Answer) -> None:
        for word in words:
            assert answer.on_token(WORD_ID, word) == CONTINUE
        answer.on_end(ending("length"))

    chunks, answer = stream(work)
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks[:-1]] == words
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1]["coterie"]["seed"] == 7
    assert answer.result()["choices"][0]["message"] == {"role": "assistant", "content": "".join(words)}


def test_every_race_for_the_last_event_is_won() -> None:
    """The loop may look at any moment between the last token and the end."""
    for _ in range(300):
        chunks, _ = stream(lambda answer: answer.on_end(ending()))
        assert chunks[-1]["usage"]["prompt_tokens"] == 5


def test_text_held_back_comes_with_the_end() -> None:
    def work(answer: Answer) -> None:
        answer.on_token(WORD_ID, "the EN")
        answer.on_end(ending())

    chunks, _ = stream(work, stop=("END",))
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "the EN"


def test_error_is_the_last_event() -> None:
    def work(answer: Answer) -> None:
        answer.on_token(WORD_ID, "a")
        answer.on_end(ending("error", DecodeFailed(-1)))

    chunks, _ = stream(work)
    assert chunks[-1] == {"error": {"type": "DecodeFailed", "message": "-1", "code": -1}}


def test_any_text_is_proper_json() -> None:
    text = '"\\\n\u2028\x00\U0001f600</script>'

    def work(answer: Answer) -> None:
        answer.on_token(WORD_ID, text)
        answer.on_end(ending())

    chunks, _ = stream(work, model='a "model"')
    assert chunks[0]["choices"][0]["delta"]["content"] == text
    assert chunks[0]["model"] == 'a "model"'


def test_progress_only_for_those_who_ask() -> None:
    def work(answer: Answer) -> None:
        answer.on_prefill(3, 5)
        answer.on_end(ending())

    assert len(stream(work)[0]) == 1
    assert stream(work, wants_progress=True)[0][0]["coterie"] == {"prefill": {"done": 3, "total": 5}}


def test_beat_is_a_comment() -> None:
    async def run() -> list[bytes]:
        answer = Answer(plan(), Touches())
        answer.beat()
        answer.on_end(ending())
        return [chunk async for chunk in answer.events()]

    assert b"".join(asyncio.run(run())).startswith(HEARTBEAT)


def test_reader_feeds_the_end_when_the_budget_is_spent() -> None:
    reader = AnswerReader(plan(dialect=THINKING, start="reasoning", budget_tokens=2))
    assert reader.read(WORD_ID, "a")[1] == CONTINUE
    parts, verdict = reader.read(WORD_ID, "b")
    assert (parts.reasoning, verdict) == ("b", Feed((CLOSE_ID, 10)))
    assert reader.read(CLOSE_ID, "")[1] == CONTINUE
    assert reader.read(10, "\n")[0].answer == ""
    assert reader.read(WORD_ID, "so")[0].answer == "so"
    assert reader.reasoning_tokens == 2


def test_reader_stops_in_the_answer_only() -> None:
    reader = AnswerReader(plan(dialect=THINKING, start="reasoning", stop=("x",)))
    assert reader.read(WORD_ID, "x")[1] == CONTINUE
    reader.read(CLOSE_ID, "")
    parts, verdict = reader.read(WORD_ID, "ax")
    assert (parts.answer, verdict) == ("a", Stop("stop"))
    assert reader.finish().answer == ""
