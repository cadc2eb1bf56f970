"""What a model is told: the path of a conversation as the turns of a prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from model_manager.types import ChatMessage, PromptImage, ToolCall
from storage.knowledge.places import place
from storage.knowledge.records import Citation
from storage.records import Message, Part
from storage.tool_steps import steps_of

# To a model, which understands it in any conversation; people do not see it.
_BEFORE = "Numbered passages from documents:"
_AFTER = (
    "Answer from these passages where they help, and write the number of each that you use in brackets behind"
    " what it supports, like [1]. Where they do not help, say so."
)


def turns(
    system_prompt: str,
    path: Sequence[Message],
    attached: Mapping[int, Sequence[Part]] | None = None,
    citations: Mapping[int, Sequence[Citation]] | None = None,
) -> tuple[ChatMessage, ...]:
    """The path from the root to a question, below the conversation's system prompt.

    Answers of which nothing arrived are left out. Questions that then follow each other become one: many
    templates refuse two turns of the same role. An answer that used tools becomes the turns it was made of.

    Args:
        system_prompt: "" for none.
        path: Messages, the first one first.
        attached: By message; images and the words of files, which stand before its text.
        citations: By message; passages of documents, which stand before its text, too.
    """
    found: list[ChatMessage] = []
    if system_prompt.strip():
        found.append(ChatMessage("system", system_prompt))
    for message in path:
        if message.role == "assistant":
            for turn in _answer(message):
                _add(found, turn)
            continue
        beside = (attached or {}).get(message.id, ())
        seen = tuple(PromptImage(0, part.data) for part in beside if part.kind == "image" and part.data)
        files = [f"{part.name}\n\n{part.text}" for part in beside if part.kind == "file" and part.text]
        text = with_passages(message.text, (citations or {}).get(message.id, ()))
        _add(found, ChatMessage(message.role, "\n\n".join([*files, text]), images=seen))
    return tuple(found)


def without_calls(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The same for a template that has no words for tools: calls and what came of them as text."""
    found: list[ChatMessage] = []
    for message in messages:
        if message.role == "tool":
            turn = ChatMessage("assistant", f"-> {message.content}")
        else:
            calls = [f"{call.name}({call.arguments})" for call in message.tool_calls]
            said = "\n\n".join(filter(None, [message.content, *calls]))
            turn = replace(message, content=said, tool_calls=())
        _add(found, turn)
    return tuple(found)


def without_earlier_images(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The same for a model that cannot see, unless the question itself comes with images."""
    last = max((n for n, message in enumerate(messages) if message.role == "user"), default=0)
    if not messages or messages[last].images:
        return tuple(messages)
    return tuple(replace(message, images=()) for message in messages)


def _add(found: list[ChatMessage], turn: ChatMessage) -> None:
    """Another turn; it goes on with the last one where that is of the same role."""
    last = found[-1] if found else None
    if last is None or last.role != turn.role or turn.role not in ("user", "assistant") or last.tool_calls:
        found.append(turn)
        return
    before = f"{last.content}\n\n" if last.content else ""
    moved = tuple(replace(image, offset=len(before) + image.offset) for image in turn.images)
    found[-1] = replace(
        last,
        content=before + turn.content,
        reasoning="\n\n".join(filter(None, [last.reasoning, turn.reasoning])),
        images=last.images + moved,
        tool_calls=turn.tool_calls,
    )


def _answer(message: Message) -> Iterator[ChatMessage]:
    """The turns of an answer: what was said before each use of tools, what came of it, and the rest."""
    for step in steps_of(message.parts):
        if step.text or step.calls:
            calls = tuple(ToolCall(call.call_id, call.name, call.text) for call in step.calls)
            yield ChatMessage("assistant", step.text, step.reasoning, tool_calls=calls)
        for result in step.results:
            yield ChatMessage("tool", result.text, tool_call_id=result.call_id)


def with_passages(text: str, citations: Sequence[Citation]) -> str:
    """A question behind the passages that were found for it; without any, as it is."""
    if not citations:
        return text
    passages = [
        f"[{one.number}] {place(one.path, one.title, one.passage)}\n{one.passage.text}" for one in citations
    ]
    return "\n\n".join([_BEFORE, *passages, _AFTER, text])
