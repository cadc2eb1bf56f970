"""docs/api.md names everything that a worker understands and says."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from starlette.routing import Route

from model_manager.engine.client import Cancel
from model_manager.engine.failures import ERROR_TYPES
from model_manager.engine.gateway.app import Limits, build_app
from model_manager.engine.gateway.models import Served, ServedModel
from model_manager.engine.host import Host
from model_manager.engine.protocol import EXTENSION_REQUEST_FIELDS, UNSUPPORTED_FIELDS, ChatCompletionRequest
from model_manager.engine.server import worker_routes
from model_manager.errors import ModelNotFound
from model_manager.types import LoadPlan

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "api.md").read_text("utf-8")


def test_every_route_is_described() -> None:
    for route in worker_routes(Host(LoadPlan(Path("none.gguf")))):
        methods = set(route.methods or ()) - {"HEAD"}
        for method in methods:
            assert f"`{method} {route.path}`" in PAGE


def test_every_route_of_the_gateway_is_described() -> None:
    app, _relay = build_app(_NoModels(), str, Limits())
    section = PAGE[PAGE.index("## The gateway") :]
    for route in app.routes:
        assert isinstance(route, Route)
        for method in set(route.methods or ()) - {"HEAD"}:
            assert f"`{method} {route.path.replace(':path', '')}`" in section


class _NoModels:
    """Nothing to serve."""

    def list(self) -> Sequence[ServedModel]:
        return []

    def default(self) -> str:
        return ""

    def use(self, model_id: str, cancel: Cancel) -> AbstractContextManager[Served]:
        raise ModelNotFound(model_id)

    def peek(self, model_id: str) -> Served | None:
        return None


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
