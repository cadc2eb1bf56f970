"""The one branch of a conversation that a person sees."""

from __future__ import annotations

from storage.exchange.carried import Carried, CarriedMessage


def shown_branch(conversation: Carried) -> list[CarriedMessage]:
    """From the first message to the one at the end of the branch that is shown."""
    by_key = {message.key: message for message in conversation.messages}
    step = by_key.get(conversation.head_key or "")
    if step is None and conversation.messages:
        step = conversation.messages[-1]
    branch: list[CarriedMessage] = []
    while step is not None:
        branch.append(step)
        step = by_key.get(step.parent_key or "")
    return branch[::-1]


def text_of(message: CarriedMessage) -> str:
    """The question or answer alone."""
    return "".join(part.text for part in message.parts if part.kind == "text")


def reasoning_of(message: CarriedMessage) -> str:
    """The reasoning alone; empty where there was none."""
    return "".join(part.text for part in message.parts if part.kind == "reasoning")


def fenced(text: str) -> str:
    """A text as a block of code, whatever stands in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"
