"""What a model is told: the path of a conversation as the turns of a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from model_manager.types import ChatMessage, PromptImage
from storage.records import Image, Message


def turns(
    system_prompt: str, path: Sequence[Message], images: Mapping[int, Sequence[Image]] | None = None
) -> tuple[ChatMessage, ...]:
    """The path from the root to a question, below the conversation's system prompt.

    Answers of which nothing arrived are left out. Questions that then follow each other become one: many
    templates refuse two turns of the same role.

    Args:
        system_prompt: "" for none.
        path: Messages, the first one first.
        images: By message; they stand before its text.
    """
    found: list[ChatMessage] = []
    if system_prompt.strip():
        found.append(ChatMessage("system", system_prompt))
    for message in path:
        if message.role == "assistant" and not message.text:
            continue
        seen = tuple(PromptImage(0, image.data) for image in (images or {}).get(message.id, ()))
        turn = ChatMessage(message.role, message.text, message.reasoning, seen)
        if found and found[-1].role == turn.role != "system":
            before = f"{found[-1].content}\n\n"
            moved = tuple(replace(image, offset=len(before)) for image in turn.images)
            found[-1] = replace(found[-1], content=before + turn.content, images=found[-1].images + moved)
        else:
            found.append(turn)
    return tuple(found)
