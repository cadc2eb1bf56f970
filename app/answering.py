"""One answer, from a question to a finished row: used by the window and by the command line.

    question stored (synchronous=FULL) -> row of the answer -> model loaded -> tokens, flushed every 500 ms
    -> finished row (synchronous=FULL)

A question that was acknowledged is never lost, and an answer keeps what has arrived, whatever ends it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

from app.engines import Engine, Engines, LoadCancelled
from app.fitting import shortened
from app.keep_awake import keep_awake
from app.orders import Order, Written, conversation_of, is_empty, write
from app.prompts import without_calls, without_earlier_images
from app.recorder import Recorder
from model_manager import plans
from model_manager.engine.client import Cancel
from model_manager.errors import EmptyPrompt, ModelManagerError, ToolsUnsupported
from model_manager.library import Library
from model_manager.types import (
    ChatEvent,
    ChatFinished,
    ChatRequest,
    ModelEntry,
    PrefillProgress,
    ReasoningDelta,
    TextDelta,
    TokenLogprobs,
    ToolCallDelta,
)
from storage.records import Conversation, Message, MessageStatus
from storage.thread import StorageThread

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Started:
    """Question and answer have their rows.

    Attributes:
        question: The stored question; None when an answer is made again.
        answer: The row that streams.
    """

    conversation: Conversation
    question: Message | None
    answer: Message


@dataclass(frozen=True, slots=True)
class Answered:
    """The end; always the last event.

    Attributes:
        answer: As stored for good.
        finished: What the engine reported; None when it could not.
        error: Why the answer failed or was cut off; None for every orderly end.
    """

    answer: Message
    finished: ChatFinished | None
    error: Exception | None = None


AnswerEvent = Started | PrefillProgress | ReasoningDelta | TextDelta | TokenLogprobs | Answered


class Answering:
    """Makes answers; any number at once, each on the thread that iterates over it."""

    def __init__(
        self,
        storage: StorageThread,
        library: Library,
        engines: Engines,
        default_model: Callable[[], ModelEntry],
    ) -> None:
        """Prepare.

        Args:
            storage: Where questions and answers go.
            library: Where models are.
            engines: Loads them.
            default_model: What answers where nothing else was chosen.
        """
        self._storage = storage
        self._library = library
        self._engines = engines
        self._default_model = default_model

    def answer(self, order: Order, cancel: Cancel) -> Generator[AnswerEvent, None, None]:
        """Store the question, have it answered, store the answer.

        Args:
            order: What is wanted.
            cancel: Ends the answer from any thread; what has arrived is kept. Closing the generator does the
                same.

        Yields:
            `Started`, then what arrives, then `Answered`.

        Raises:
            EmptyPrompt: There is nothing to answer; nothing was stored.
            ModelNotFound: No such model; nothing was stored.
            NoSuchConversation, NoSuchMessage: The order is about something that is not there.
            StorageError: The question or the answer could not be stored.
        """
        if is_empty(order):
            raise EmptyPrompt
        entry, written = self._begin(order)
        recorder = Recorder(self._storage, written.answer, written.generation)
        finished: ChatFinished | None = None
        error: Exception | None = None
        try:
            yield Started(written.conversation, written.question, written.answer)
            for delta in _kept(written):
                recorder.add(delta)
                yield delta
            with keep_awake(), self._engines.use(entry, cancel) as engine:
                info, effort = engine.info, written.request.reasoning_effort
                has_word = info.takes_effort or engine.plan is None  # other servers do not tell
                recorder.set_engine(
                    info.engine, _noted(engine), info.template_sha256, effort if has_word else None
                )
                request = shortened(written.request, order.fit, engine, cancel)
                for event in _told(engine, request, cancel):
                    match event:
                        case ReasoningDelta() | TextDelta():
                            recorder.add(event)
                        case TokenLogprobs():
                            recorder.add_logprobs(event)
                        case ChatFinished():
                            finished = event
                            continue
                        case ToolCallDelta():
                            continue  # no tools were offered
                    yield event
        except LoadCancelled:
            pass
        except GeneratorExit:
            cancel.set()
            recorder.finish("complete", finished, "cancelled")
            raise
        except ModelManagerError as problem:
            error = problem
        except BaseException as problem:
            recorder.finish(
                "interrupted", finished, "error", problem if isinstance(problem, Exception) else None
            )
            raise
        yield Answered(self._end(recorder, finished, error), finished, error)

    @staticmethod
    def _end(recorder: Recorder, finished: ChatFinished | None, error: Exception | None) -> Message:
        status: MessageStatus = "complete"
        if error is not None:
            status = "interrupted" if recorder.has_text else "failed"
        stop_reason = finished.stop_reason if finished else "error" if error else "cancelled"
        return recorder.finish(status, finished, stop_reason, error)

    def _begin(self, order: Order) -> tuple[ModelEntry, Written]:
        """Find the model first: where there is none, nothing shall be stored."""
        conversation = self._storage.call(lambda store: conversation_of(store, order))
        chosen = order.model or (conversation.model_name if conversation else None)
        entry = self._library.get(chosen) if chosen else self._default_model()
        return entry, self._storage.call(lambda store: write(store, order, conversation, entry))


def _told(engine: Engine, request: ChatRequest, cancel: Cancel) -> Generator[ChatEvent, None, None]:
    """What the engine answers; what earlier turns have is told as its model takes it."""
    if engine.plan is not None and not engine.info.can_see:
        request = replace(request, messages=without_earlier_images(request.messages))
    try:
        yield from engine.client.chat(request, cancel)
    except ToolsUnsupported:  # said before anything is computed
        yield from engine.client.chat(replace(request, messages=without_calls(request.messages)), cancel)


def _noted(engine: Engine) -> dict[str, Any] | None:
    return None if engine.plan is None else plans.noted(engine.plan, engine.info)


def _kept(written: Written) -> list[ReasoningDelta | TextDelta]:
    """What a continued answer begins with, as if it had just arrived."""
    kept = written.kept
    if kept is None:
        return []
    found: list[ReasoningDelta | TextDelta] = []
    if kept.reasoning:
        found.append(ReasoningDelta(kept.reasoning))
    if kept.text:
        found.append(TextDelta(kept.text))
    return found
