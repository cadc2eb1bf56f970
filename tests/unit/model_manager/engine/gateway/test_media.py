"""Nothing is fetched."""

from __future__ import annotations

from typing import Any

import pytest

from model_manager.engine.gateway.media import refuse_addresses
from model_manager.errors import RequestRefused

DATA = "data:image/png;base64,AAAA"


def chat(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "http://x"}, part]}]}


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1/a.png", "https://x/a.png", "file:///etc/passwd", "/etc", ""]
)
def test_addresses_are_refused(address: str) -> None:
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": address}},
        {"type": "image_url", "image_url": address},
        {"type": "input_image", "image_url": address},
        {"type": "input_file", "file_url": address},
        {"type": "file", "file": {"file_id": address}},
    ]
    for part in parts:
        with pytest.raises(RequestRefused, match="data: URLs"):
            refuse_addresses(chat(part))
        with pytest.raises(RequestRefused, match="data: URLs"):
            refuse_addresses({"input": [{"type": "function_call_output", "output": [part]}]})


@pytest.mark.parametrize(
    "fields",
    [
        chat({"type": "image_url", "image_url": {"url": DATA}}),
        chat({"type": "input_image", "image_url": DATA}),
        {"messages": [{"role": "user", "content": "http://x/a.png"}, "odd", {"content": ["odd"]}]},
        {"input": "http://x/a.png"},
        {"input": {"type": "image_url"}},
        {},
    ],
)
def test_what_is_in_the_request_passes(fields: dict[str, Any]) -> None:
    refuse_addresses(fields)
