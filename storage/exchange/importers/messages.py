"""Lists of messages as models are trained on them, a conversation a line: OpenAI's shape and ShareGPT's.

    {"messages": [{"role": "user", "content": ...}, {"role": "assistant", "tool_calls": [...]}, ...]}
    {"conversations": [{"from": "human", "value": ...}, {"from": "gpt", "value": ...}]}

They have no ids: a conversation is known by what it says. Our own exports of these shapes come back, too.

Source: https://platform.openai.com/docs/guides/supervised-fine-tuning (messages, tool_calls);
https://github.com/lm-sys/FastChat/blob/main/docs/training.md (conversations)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.foreign import (
    Losses,
    digest,
    generation,
    identifier,
    image_of_base64,
    items,
    mapping,
    objects,
    openai_calls,
    role_of,
    text,
    tool_call,
    tool_result,
    with_content,
)
from storage.exchange.weaving import path_of, woven
from storage.records import Part

PROGRAM = "messages"
_THOUGHT = re.compile(r"\A\s*<think>(.*?)</think>\s*", re.DOTALL)
_MAX_TITLE = 60


def recognizes(value: Mapping[str, Any]) -> bool:
    """Whether this is one of these lists."""
    first = next(objects(value.get("messages")), {})
    return ("role" in first and ("content" in first or "tool_calls" in first)) or (
        "from" in next(objects(value.get("conversations")), {})
    )


def convert(value: Mapping[str, Any]) -> Carried:
    """One conversation."""
    lost = Losses()
    said = list(objects(value.get("messages"))) or [
        {"role": turn.get("from"), "content": turn.get("value")} for turn in objects(value["conversations"])
    ]
    model = text(value.get("model"))
    system = [message for message in said if role_of(message.get("role")) == "system"]
    turns = [message for message in said if role_of(message.get("role")) != "system"]
    nodes = path_of([_message(place, message, model, lost) for place, message in enumerate(turns)])
    messages = woven(nodes)
    title = next((part.text for message in messages for part in message.parts if part.kind == "text"), "")
    return Carried(
        origin=f"{PROGRAM}:{digest(said)}",
        title=" ".join(title.split())[:_MAX_TITLE],
        messages=messages,
        system_prompt="\n\n".join(
            filter(None, (_said(message.get("content"), [], lost) for message in system))
        ),
        lost=lost,
    )


def _message(place: int, message: Mapping[str, Any], model: str, lost: Losses) -> CarriedMessage:
    role = role_of(message.get("role"))
    beside: list[Part] = []
    said = _said(message.get("content"), beside, lost)
    parts: list[Part] = []
    if message.get("role") in ("tool", "function"):
        name = text(message.get("name"))
        parts = [tool_result(said, identifier(message.get("tool_call_id")), name)]
    elif role is not None:
        thought = text(message.get("reasoning_content")) or text(message.get("reasoning"))
        if role == "assistant" and not thought and (found := _THOUGHT.match(said)):
            thought, said = found[1].strip(), said[found.end() :]
        parts = [Part("reasoning", thought), *beside, Part("text", said)]
        parts += openai_calls(message.get("tool_calls"))
        if function := mapping(message.get("function_call")):
            parts.append(tool_call(text(function.get("name")), function.get("arguments")))
    else:
        lost.add("message")
    return CarriedMessage(
        key=str(place),
        parent_key=None,
        role=role or "assistant",
        parts=with_content(parts),
        generation=generation(model, engine="") if role == "assistant" else None,
    )


def _said(content: Any, beside: list[Part], lost: Losses) -> str:
    """The text of a message; its images go to `beside`."""
    if isinstance(content, str):
        return content
    texts = []
    for piece in objects(items(content)):
        match piece.get("type"):
            case "text" | "input_text" | "output_text" | "refusal":
                texts.append(text(piece.get("text")) or text(piece.get("refusal")))
            case "image_url":
                image = image_of_base64("", mapping(piece.get("image_url")).get("url"))
                if image is not None:
                    beside.append(image)
                else:
                    lost.add("image")
            case "input_audio":
                lost.add("audio")
            case "file":
                lost.add("file")
            case _:
                lost.add("other")
    return "\n\n".join(filter(None, texts))
