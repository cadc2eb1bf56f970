"""One answer, from a question to a finished row: used by the window and by the command line.

    question stored (synchronous=FULL) -> row of the answer -> model loaded -> tokens, flushed every 500 ms
    -> finished row (synchronous=FULL)

A question that was acknowledged is never lost, and an answer keeps what has arrived, whatever ends it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.engines import Engines, LoadCancelled
from app.keep_awake import keep_awake
from app.prompts import turns
from app.recorder import Recorder
from app.sampling import AnswerOptions, merge, parameters
from app.titles import title_from
from model_manager.engine.client import Cancel
from model_manager.errors import EmptyPrompt, ModelManagerError
from model_manager.library import Library
from model_manager.types import (
    ChatFinished,
    ChatRequest,
    ModelEntry,
    PrefillProgress,
    ReasoningDelta,
    TextDelta,
    TokenLogprobs,
)
from storage.records import Conversation, Generation, Image, Message, MessageStatus, Part
from storage.store import Store
from storage.thread import StorageThread

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ask:
    """A new question.

    Attributes:
        conversation_id: None begins a conversation.
        model: Name or path; None takes the conversation's, else the default.
        system_prompt: For a new conversation, or in place of the conversation's; None keeps it.
        sampling: Overrides for this answer alone.
        conversation_sampling: Overrides that a new conversation keeps.
        images: Checked by `images.check`; they stand before the text.
    """

    text: str
    conversation_id: int | None = None
    model: str | None = None
    system_prompt: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    conversation_sampling: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Regenerate:
    """Another answer to the question that the answer `message_id` belongs to, as its sibling."""

    message_id: int
    model: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edit:
    """The question `message_id` in other words, as its sibling, and an answer to it."""

    message_id: int
    text: str
    model: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)


Order = Ask | Regenerate | Edit


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
        if _is_empty(order):
            raise EmptyPrompt
        started, request, entry, generation = self._begin(order)
        recorder = Recorder(self._storage, started.answer, generation)
        finished: ChatFinished | None = None
        error: Exception | None = None
        try:
            yield started
            with keep_awake(), self._engines.use(entry, cancel) as engine:
                recorder.set_engine(engine.info.engine)
                for event in engine.client.chat(request, cancel):
                    match event:
                        case ReasoningDelta():
                            recorder.add_reasoning(event.text)
                        case TextDelta():
                            recorder.add_text(event.text)
                        case ChatFinished():
                            finished = event
                            continue
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

    def _begin(self, order: Order) -> tuple[Started, ChatRequest, ModelEntry, Generation]:
        """Find the model first: where there is none, nothing shall be stored."""
        conversation = self._storage.call(lambda store: _conversation_of(store, order))
        chosen = order.model or (conversation.model_name if conversation else None)
        entry = self._library.get(chosen) if chosen else self._default_model()
        return self._storage.call(lambda store: _write(store, order, conversation, entry))


def _is_empty(order: Order) -> bool:
    if isinstance(order, Ask) and order.images:
        return False
    return isinstance(order, (Ask, Edit)) and not order.text.strip()


def _conversation_of(store: Store, order: Order) -> Conversation | None:
    if isinstance(order, Ask):
        return None if order.conversation_id is None else store.conversations.get(order.conversation_id)
    return store.conversations.get(store.conversations.message(order.message_id).conversation_id)


def _write(
    store: Store, order: Order, conversation: Conversation | None, entry: ModelEntry
) -> tuple[Started, ChatRequest, ModelEntry, Generation]:
    """Runs on the storage thread."""
    conversations = store.conversations
    question: Message | None = None
    if conversation is None:
        assert isinstance(order, Ask)
        conversation = conversations.create(
            title=order.title,
            model_name=order.model,
            system_prompt=order.system_prompt or "",
            sampling=order.conversation_sampling,
        )
        if not order.title:
            conversation = conversations.rename(conversation.id, title_from(order.text), automatic=True)
    match order:
        case Ask():
            question = conversations.append(
                conversation.id,
                conversation.head_id,
                "user",
                [Part("text", order.text)],
                images=order.images,
            )
            parent_id = question.id
        case Edit():
            edited = conversations.message(order.message_id)
            question = conversations.append(
                conversation.id,
                edited.parent_id,
                "user",
                [Part("text", order.text)],
                images=store.images.of([edited.id]).get(edited.id, ()),
            )
            parent_id = question.id
        case Regenerate():
            answered = conversations.message(order.message_id)
            # A question that a crash left without an answer is answered, too.
            if answered.role == "assistant":
                if answered.parent_id is None:
                    raise EmptyPrompt
                parent_id = answered.parent_id
            else:
                parent_id = answered.id
    options = merge(store.settings.get("sampling_defaults"), conversation.sampling, order.sampling)
    generation = Generation(
        model_name=entry.name,
        model_sha256=entry.sha256[0] if entry.sha256 else None,
        parameters=parameters(options),
    )
    answer = conversations.start_answer(conversation.id, parent_id, generation)
    system_prompt = order.system_prompt if isinstance(order, Ask) else None
    path = conversations.path_to(parent_id)
    request = _request(
        conversation.system_prompt if system_prompt is None else system_prompt,
        path,
        store.images.of([message.id for message in path if message.image_names]),
        options,
        entry,
    )
    return Started(conversations.get(conversation.id), question, answer), request, entry, generation


def _request(
    system_prompt: str,
    path: list[Message],
    images: Mapping[int, Sequence[Image]],
    options: AnswerOptions,
    entry: ModelEntry,
) -> ChatRequest:
    return ChatRequest(
        messages=turns(system_prompt, path, images),
        sampling=options.sampling,
        thinking=options.thinking,
        think_budget_tokens=options.think_budget_tokens,
        model=entry.name,
        return_tokens=True,
    )
