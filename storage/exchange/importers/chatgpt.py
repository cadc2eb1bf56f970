"""ChatGPT: the conversations of a data export.

Until 2025 one `conversations.json`; in the exports of 2026 many `conversations-000.json`, `-001`, ... in
one zip, in which many messages have no `metadata` and some nodes no `children`. Each is an array of trees.
Images and files lie beside them, named `<id>-<name>`, `<id>.dat` or `dalle-generations/<id>-...`, where a
message has `file-service://<id>` or `sediment://<id>`.

Source: https://github.com/danny-avila/LibreChat/issues/15229 (many files, absent metadata),
https://github.com/NextStat/chatgpt2md/issues/1 (their names),
https://github.com/Nwflower/dsh-chat-import/issues/62 (only `parent` can be trusted),
https://github.com/pionxzh/chatgpt-exporter (types of content)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.exchange.beside import Files
from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.foreign import (
    Losses,
    generation,
    identifier,
    items,
    mapping,
    moment,
    number,
    objects,
    role_of,
    text,
    tool_call,
    tool_result,
    with_content,
)
from storage.exchange.weaving import surviving, woven
from storage.records import Generation, Part

PROGRAM = "chatgpt"
# Shown to nobody by ChatGPT itself: its instructions, memories and results of searches.
_HIDDEN = ("user_editable_context", "model_editable_context", "system_error", "app_pairing_content")


def recognizes(value: Mapping[str, Any]) -> bool:
    """Whether this is one of its conversations."""
    return isinstance(value.get("mapping"), dict) and ("current_node" in value or "conversation_id" in value)


def convert(value: Mapping[str, Any], files: Files | None = None) -> Carried:
    """One conversation.

    Args:
        value: It.
        files: What came with it in the same zip or folder: the images and files that it names.
    """
    lost = Losses()
    nodes = []
    instructions = ""
    default_model = text(value.get("default_model_slug"))
    for key, node in mapping(value.get("mapping")).items():
        node = mapping(node)
        message = mapping(node.get("message"))
        parent_key = identifier(node.get("parent")) or None
        instructions = instructions or _instructions(message)
        nodes.append(_message(str(key), parent_key, message, default_model, files or Files(()), lost))
    messages = woven(nodes)
    conversation_id = identifier(value.get("conversation_id")) or identifier(value.get("id"))
    return Carried(
        origin=f"{PROGRAM}:{conversation_id}" if conversation_id else "",
        title=text(value.get("title")),
        messages=messages,
        head_key=surviving(identifier(value.get("current_node")) or None, nodes, messages),
        created_at=moment(value.get("create_time")),
        updated_at=moment(value.get("update_time")),
        system_prompt=instructions,
        more=_more(value),
        lost=lost,
    )


def _more(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"is_archived": True} if value.get("is_archived") is True else {}


def _message(
    key: str,
    parent_key: str | None,
    message: Mapping[str, Any],
    default_model: str,
    files: Files,
    lost: Losses,
) -> CarriedMessage:
    content = mapping(message.get("content"))
    metadata = mapping(message.get("metadata"))
    speaker = mapping(message.get("author")).get("role")
    role = role_of(speaker)
    parts: tuple[Part, ...] = ()
    kind = text(content.get("content_type")) or "text"
    is_for_a_tool = role == "assistant" and message.get("recipient") not in (None, "", "all")
    names = {identifier(one.get("id")): text(one.get("name")) for one in objects(metadata.get("attachments"))}
    is_shown = kind not in _HIDDEN and metadata.get("is_visually_hidden_from_conversation") is not True
    if speaker == "tool":
        # It follows the call, by whose key the two find each other.
        name = text(mapping(message.get("author")).get("name"))
        said, beside = _content(content, names, files, lost)
        parts = (*beside, tool_result(said, parent_key or "", name)) if is_shown else ()
    elif is_for_a_tool:
        said, beside = _content(content, names, files, lost)
        parts = (tool_call(text(message.get("recipient")), said, key), *beside)
    elif role is not None and is_shown:
        parts = _parts(kind, content, names, files, lost)
        if role == "user":
            parts += _attached(metadata, parts, names, files, lost)
    return CarriedMessage(
        key=key,
        parent_key=parent_key,
        role=role or "assistant",
        parts=with_content(parts),
        created_at=moment(message.get("create_time")),
        status="interrupted" if message.get("status") == "in_progress" else "complete",
        generation=_generation(metadata, default_model) if role == "assistant" and parts else None,
    )


def _generation(metadata: Mapping[str, Any], default_model: str) -> Generation:
    seconds = number(metadata.get("finished_duration_sec"))
    return generation(
        text(metadata.get("model_slug")) or default_model,
        engine="ChatGPT",
        reasoning_ms=1000 * seconds if seconds else None,
        stop_reason="stop",
    )


def _parts(
    kind: str, content: Mapping[str, Any], names: Mapping[str, str], files: Files, lost: Losses
) -> tuple[Part, ...]:
    if kind == "thoughts":
        thoughts = [
            "\n\n".join(
                filter(
                    None,
                    (f"**{text(t.get('summary'))}**" if t.get("summary") else "", text(t.get("content"))),
                )
            )
            for t in objects(content.get("thoughts"))
        ]
        return _of("reasoning", "\n\n".join(filter(None, thoughts)))
    if kind == "reasoning_recap":
        return ()  # "Thought for 8 seconds": the time, not the thought
    if kind == "code":
        return _of("text", _fenced(text(content.get("language")), text(content.get("text"))))
    said, beside = _content(content, names, files, lost)
    if not said and not beside and kind not in ("text", "multimodal_text"):
        lost.add("other")
    return (*beside, *_of("text", said))


def _content(
    content: Mapping[str, Any], names: Mapping[str, str], files: Files, lost: Losses
) -> tuple[str, list[Part]]:
    """What a message says, and the images and recordings in it."""
    pieces = []
    beside: list[Part] = []
    for piece in items(content.get("parts")):
        if isinstance(piece, str):
            pieces.append(piece)
            continue
        kind = text(mapping(piece).get("content_type"))
        if kind == "audio_transcription":
            pieces.append(text(piece.get("text")))
        elif "asset_pointer" not in mapping(piece):
            lost.add("other")
        elif (found := files.find(text(piece["asset_pointer"]), names)) is not None:
            beside.append(found)
        else:
            lost.add("image" if "image" in kind else "audio")
    return "\n\n".join(filter(None, pieces)) or text(content.get("text")), beside


def _attached(
    metadata: Mapping[str, Any],
    parts: tuple[Part, ...],
    names: Mapping[str, str],
    files: Files,
    lost: Losses,
) -> tuple[Part, ...]:
    """The files that a person sent; images stand in the content, too."""
    found = []
    for one in objects(metadata.get("attachments")):
        part = files.find(identifier(one.get("id")), names)
        if part is None:
            lost.add("file")
        elif not any(other.data == part.data for other in parts if other.data is not None):
            found.append(part)
    return tuple(found)


def _instructions(message: Mapping[str, Any]) -> str:
    """What the person told ChatGPT to keep in mind; other system messages are its own."""
    content = mapping(message.get("content"))
    if content.get("content_type") != "user_editable_context":
        return ""
    said = (text(content.get("user_profile")), text(content.get("user_instructions")))
    return "\n\n".join(filter(None, said))


def _fenced(language: str, code: str) -> str:
    if not code:
        return ""
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}{'' if language == 'unknown' else language}\n{code}\n{fence}"


def _of(kind: Any, found: str) -> tuple[Part, ...]:
    return (Part(kind, found),) if found else ()
