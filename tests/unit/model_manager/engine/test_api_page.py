"""docs/api.md names everything that a worker understands and says."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_manager.engine.failures import ERROR_TYPES
from model_manager.engine.host import Host
from model_manager.engine.protocol import EXTENSION_REQUEST_FIELDS, UNSUPPORTED_FIELDS, ChatCompletionRequest
from model_manager.engine.server import worker_routes
from model_manager.types import LoadPlan

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "api.md").read_text("utf-8")


def test_every_route_is_described() -> None:
    for route in worker_routes(Host(LoadPlan(Path("none.gguf")))):
        methods = set(route.methods or ()) - {"HEAD"}
        for method in methods:
            assert f"`{method} {route.path}`" in PAGE


@pytest.mark.parametrize("name", [*ChatCompletionRequest.model_fields, *UNSUPPORTED_FIELDS, *ERROR_TYPES])
def test_every_field_and_error_is_described(name: str) -> None:
    assert f"`{name}`" in PAGE or f"`{name}." in PAGE


def test_extensions_are_fields_of_the_request() -> None:
    assert set(EXTENSION_REQUEST_FIELDS) < set(ChatCompletionRequest.model_fields)


@pytest.mark.parametrize(
    "name", ["coterie.prefill", "coterie.timings", "coterie.stop_reason", "reasoning_content"]
)
def test_every_extension_of_an_answer_is_described(name: str) -> None:
    assert name in PAGE
