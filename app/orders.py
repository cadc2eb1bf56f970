"""What may be asked of the program, and how it is written down before it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from app.prompts import turns
from app.sampling import AnswerOptions, merge, parameters
from app.titles import title_from
from model_manager.errors import EmptyPrompt
from model_manager.types import ChatMessage, ChatRequest, ModelEntry, OutputFormat
from storage.knowledge.records import Citation
from storage.records import Conversation, Generation, Message, Part
from storage.store import Store

Fit = Literal["all", "drop", "summary"]
"""What becomes of the oldest turns in the prompt: all stay, they are left out, a summary stands for them."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A new question.

    Attributes:
        conversation_id: None begins a conversation.
        model: Name or path; None takes the conversation's, else the default.
        system_prompt: For a new conversation, or in place of the conversation's; None keeps it.
        sampling: Overrides for this answer alone.
        conversation_sampling: Overrides that a new conversation keeps.
        images: Parts of that kind, checked by `images.check`; they stand before the text.
        fit: As for all orders: see `Fit`. The conversation itself keeps everything.
        output: What the answer must be; None is any text.
        citations: Passages to answer from, numbered from 1; in a conversation that has some, they count on.
    """

    text: str
    conversation_id: int | None = None
    model: str | None = None
    system_prompt: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    conversation_sampling: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    images: tuple[Part, ...] = ()
    fit: Fit = "all"
    output: OutputFormat | None = None
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Regenerate:
    """Another answer to the question that the answer `message_id` belongs to, as its sibling.

    Attributes:
        is_whole: `sampling` says everything, as that of an earlier answer does: what is set today for all or
            for the conversation does not count.
    """

    message_id: int
    model: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    fit: Fit = "all"
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """The question `message_id` in other words, as its sibling, and an answer to it."""

    message_id: int
    text: str
    model: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    fit: Fit = "all"


@dataclass(frozen=True, slots=True)
class Continue:
    """More of the answer `message_id`, which was cut off: a sibling that begins with what there is.

    A finished message never changes, so the short version stays beside the longer one.

    Attributes:
        output: What the whole answer must be; what there is of it must have been begun so.
    """

    message_id: int
    model: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    fit: Fit = "all"
    output: OutputFormat | None = None


Order = Ask | Regenerate | Edit | Continue


@dataclass(frozen=True, slots=True)
class Written:
    """An order that has its rows.

    Attributes:
        question: The stored question; None when an earlier one is answered.
        answer: The row that streams.
        kept: The answer that is continued, to stand at the beginning of the new one; None for a fresh one.
    """

    conversation: Conversation
    question: Message | None
    answer: Message
    generation: Generation
    request: ChatRequest
    kept: Message | None


def is_empty(order: Order) -> bool:
    """Whether it holds nothing to answer."""
    if isinstance(order, Ask) and order.images:
        return False
    return isinstance(order, (Ask, Edit)) and not order.text.strip()


def conversation_of(store: Store, order: Order) -> Conversation | None:
    """Where it belongs; None for a question that begins a conversation.

    Raises:
        NoSuchConversation, NoSuchMessage: It is about something that is not there.
    """
    if isinstance(order, Ask):
        return None if order.conversation_id is None else store.conversations.get(order.conversation_id)
    return store.conversations.get(store.conversations.message(order.message_id).conversation_id)


def write(store: Store, order: Order, conversation: Conversation | None, entry: ModelEntry) -> Written:
    """Store what a person asked, begin the row of the answer; runs on the storage thread.

    Raises:
        EmptyPrompt: There is no question to answer.
        NoSuchMessage: The order is about a message that is not there.
    """
    conversation = conversation or _begin(store, order)
    question = _write_question(store, order, conversation)
    kept: Message | None = None
    if question is not None:
        parent_id = question.id
    else:
        assert isinstance(order, (Regenerate, Continue))
        parent_id, kept = _answered(store, order)
    conversations = store.conversations
    if isinstance(order, Regenerate) and order.is_whole:
        options = merge(order.sampling)
    else:
        options = merge(
            entry.sampling,
            store.settings.get("sampling_defaults"),
            conversation.sampling,
            order.sampling,
        )
    generation = Generation(
        model_name=entry.name,
        model_sha256=entry.sha256[0] if entry.sha256 else None,
        parameters=parameters(options),
        think_budget_tokens=options.think_budget_tokens,
    )
    answer = conversations.start_answer(conversation.id, parent_id, generation)
    own_prompt = order.system_prompt if isinstance(order, Ask) else None
    system_prompt = conversation.system_prompt if own_prompt is None else own_prompt
    request = request_for(store, system_prompt, parent_id, kept, options, entry)
    output = order.output if isinstance(order, (Ask, Continue)) else None
    request = replace(request, conversation=str(conversation.id), output=output)
    return Written(conversations.get(conversation.id), question, answer, generation, request, kept)


def _begin(store: Store, order: Order) -> Conversation:
    assert isinstance(order, Ask)
    conversation = store.conversations.create(
        title=order.title,
        model_name=order.model,
        system_prompt=order.system_prompt or "",
        sampling=order.conversation_sampling,
    )
    if order.title:
        return conversation
    return store.conversations.rename(conversation.id, title_from(order.text), automatic=True)


def _write_question(store: Store, order: Order, conversation: Conversation) -> Message | None:
    if isinstance(order, Ask):
        parent_id, images = conversation.head_id, order.images
        citations = _counted_on(store, parent_id, order.citations)
    elif isinstance(order, Edit):
        parent_id = store.conversations.message(order.message_id).parent_id
        images = store.parts.attachments([order.message_id]).get(order.message_id, ())
        citations = store.citations.of([order.message_id]).get(order.message_id, ())
    else:
        return None
    parts = [*images, Part("text", order.text)]
    return store.conversations.append(conversation.id, parent_id, "user", parts, citations=citations)


def _counted_on(store: Store, parent_id: int | None, citations: tuple[Citation, ...]) -> tuple[Citation, ...]:
    """With numbers that no passage has that the model still sees from earlier questions."""
    if parent_id is None or not citations:
        return citations
    earlier = store.citations.of([message.id for message in store.conversations.path_to(parent_id)])
    last = max((one.number for several in earlier.values() for one in several), default=0)
    return tuple(replace(one, number=last + one.number) for one in citations)


def _answered(store: Store, order: Regenerate | Continue) -> tuple[int, Message | None]:
    """The question that is answered again, and the answer that is continued."""
    message = store.conversations.message(order.message_id)
    if message.role != "assistant":
        return message.id, None  # a question that a crash left without an answer is answered, too
    if message.parent_id is None:
        raise EmptyPrompt
    is_begun = isinstance(order, Continue) and bool(message.text or message.reasoning)
    return message.parent_id, message if is_begun else None


def request_for(
    store: Store,
    system_prompt: str,
    parent_id: int,
    kept: Message | None,
    options: AnswerOptions,
    entry: ModelEntry,
) -> ChatRequest:
    """What a model is asked for an answer; runs on the storage thread.

    Args:
        store: Where the conversation is.
        system_prompt: Instruction before all messages; empty for none.
        parent_id: The question, with all that led to it.
        kept: The answer that goes on; None for a new one.
        options: How to answer.
        entry: Of the model.
    """
    path = store.conversations.path_to(parent_id)
    attached = store.parts.attachments([message.id for message in path if message.attached])
    citations = store.citations.of([message.id for message in path if message.role == "user"])
    messages = turns(system_prompt, path, attached, citations)
    if kept is not None:
        messages = (*messages, ChatMessage("assistant", kept.text, kept.reasoning))
    return ChatRequest(
        messages=messages,
        sampling=options.sampling,
        thinking=options.thinking,
        think_budget_tokens=options.think_budget_tokens,
        think_nudge_tokens=options.think_nudge_tokens,
        reasoning_history=options.reasoning_history,
        reasoning_effort=None if options.thinking == "off" else options.reasoning_effort,
        continues=kept is not None,
        model=entry.name,
        return_tokens=True,
        return_routing=store.settings.get("trace") == "live",
    )
