"""What a model is told: the path of a conversation as the turns of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model_manager.types import ChatMessage
from storage.records import Message


def turns(system_prompt: str, path: Sequence[Message]) -> tuple[ChatMessage, ...]:
    """The path from the root to a question, below the conversation's system prompt.

    Answers of which nothing arrived are left out. Questions that then follow each other become one: many
    templates refuse two turns of the same role.
    """
    found: list[ChatMessage] = []
    if system_prompt.strip():
        found.append(ChatMessage("system", system_prompt))
    for message in path:
        if message.role == "assistant" and not message.text:
            continue
        turn = ChatMessage(message.role, message.text, message.reasoning)
        if found and found[-1].role == turn.role != "system":
            found[-1] = replace(found[-1], content=f"{found[-1].content}\n\n{turn.content}")
        else:
            found.append(turn)
    return tuple(found)
