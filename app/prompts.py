"""What a model is told: the path of a conversation as the turns of a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from model_manager.types import ChatMessage, PromptImage
from storage.knowledge.places import place
from storage.knowledge.records import Citation
from storage.records import Image, Message

# To a model, which understands it in any conversation; people do not see it.
_BEFORE = "Numbered passages from documents:"
_AFTER = (
    "Answer from these passages where they help, and write the number of each that you use in brackets behind"
    " what it supports, like [1]. Where they do not help, say so."
)


def turns(
    system_prompt: str,
    path: Sequence[Message],
    images: Mapping[int, Sequence[Image]] | None = None,
    citations: Mapping[int, Sequence[Citation]] | None = None,
) -> tuple[ChatMessage, ...]:
    """The path from the root to a question, below the conversation's system prompt.

    Answers of which nothing arrived are left out. Questions that then follow each other become one: many
    templates refuse two turns of the same role.

    Args:
        system_prompt: "" for none.
        path: Messages, the first one first.
        images: By message; they stand before its text.
        citations: By message; passages of documents, which stand before its text, too.
    """
    found: list[ChatMessage] = []
    if system_prompt.strip():
        found.append(ChatMessage("system", system_prompt))
    for message in path:
        if message.role == "assistant" and not message.text:
            continue
        seen = tuple(PromptImage(0, image.data) for image in (images or {}).get(message.id, ()))
        text = with_passages(message.text, (citations or {}).get(message.id, ()))
        turn = ChatMessage(message.role, text, message.reasoning, seen)
        if found and found[-1].role == turn.role != "system":
            before = f"{found[-1].content}\n\n"
            moved = tuple(replace(image, offset=len(before)) for image in turn.images)
            found[-1] = replace(found[-1], content=before + turn.content, images=found[-1].images + moved)
        else:
            found.append(turn)
    return tuple(found)


def with_passages(text: str, citations: Sequence[Citation]) -> str:
    """A question behind the passages that were found for it; without any, as it is."""
    if not citations:
        return text
    passages = [
        f"[{one.number}] {place(one.path, one.title, one.passage)}\n{one.passage.text}" for one in citations
    ]
    return "\n\n".join([_BEFORE, *passages, _AFTER, text])
