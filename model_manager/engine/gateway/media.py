"""Nothing is fetched for a request: what it speaks of must be in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_manager.errors import RequestRefused

_PARTS = frozenset(
    {"image_url", "input_image", "input_audio", "input_file", "file", "video_url", "audio_url"}
)
_ADDRESSES = frozenset({"url", "image_url", "file_url", "file_id", "video_url", "audio_url"})


def refuse_addresses(fields: dict[str, Any]) -> None:
    """Refuse messages with images and files that stand elsewhere: on the web, or on this machine.

    Raises:
        RequestRefused: There is one.
    """
    for part in _parts(fields):
        for address in _addresses(part):
            if not address.startswith("data:"):
                raise RequestRefused(
                    400,
                    f"{part['type']}: only data: URLs are taken; nothing is fetched",
                )


def _parts(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("messages", "input"):
        messages = fields.get(name)
        for message in messages if isinstance(messages, list) else ():
            if not isinstance(message, dict):
                continue
            for key in ("content", "output"):
                content = message.get(key)
                for part in content if isinstance(content, list) else ():
                    if isinstance(part, dict) and part.get("type") in _PARTS:
                        yield part


def _addresses(part: dict[str, Any]) -> Iterator[str]:
    for key, value in part.items():
        if isinstance(value, dict):
            yield from _addresses(value)
        elif key in _ADDRESSES and isinstance(value, str):
            yield value
