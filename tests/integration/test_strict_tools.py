"""Tool calls whose names and arguments are bound, with a real model that is too small to make good ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from model_manager.engine.supervisor import Supervisor
from model_manager.errors import SchemaUnsupported
from model_manager.types import (
    ChatFinished,
    ChatMessage,
    ChatRequest,
    LoadPlan,
    OutputFormat,
    SamplingParams,
    TextDelta,
    Tool,
    ToolCallDelta,
    ToolChoice,
)
from tests.helpers.schemas import is_valid
from tests.integration.conftest import WORKER_COMMAND

TEMPLATES: Final = Path(__file__).parents[1] / "data" / "templates"
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "get_weather": {
        "type": "object",
        "properties": {
            "city": {"enum": ["Paris", "Oslo"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 9},
        },
        "required": ["city", "days"],
    },
    "switch_light": {
        "type": "object",
        "properties": {"room": {"type": "string", "pattern": "^[a-z]{3,8}$"}, "on": {"type": "boolean"}},
        "required": ["room", "on"],
    },
}
TOOLS: Final = tuple(Tool(name, "", schema) for name, schema in SCHEMAS.items())


@pytest.fixture(scope="module")
def calling_engine(dense_path: Path, runtime_dir: Path) -> Iterator[Supervisor]:
    template = (TEMPLATES / "Qwen-Qwen2.5-7B-Instruct.jinja").read_text()
    supervisor = Supervisor(WORKER_COMMAND, runtime_dir, lambda _state: None)
    supervisor.start(LoadPlan(dense_path, name="calling", n_ctx_tokens=2048, chat_template=template))
    supervisor.wait_ready(120)
    yield supervisor
    supervisor.stop()


def ask(engine: Supervisor, seed: int = 1, **fields: Any) -> list[Any]:
    request = ChatRequest(
        (ChatMessage("user", "What is it like outside?"),),
        SamplingParams(temperature=1.5, max_tokens=64, seed=seed),
        **{"tools": TOOLS, "tool_choice": ToolChoice("required"), "parallel_tool_calls": False, **fields},
    )
    return list(engine.client.chat(request))


def call_of(events: list[Any]) -> tuple[str, Any]:
    deltas = [event for event in events if isinstance(event, ToolCallDelta)]
    assert isinstance(events[-1], ChatFinished)
    assert events[-1].stop_reason == "tool_calls"
    return deltas[0].name, json.loads("".join(delta.arguments for delta in deltas))


@pytest.mark.parametrize("seed", range(4))
def test_a_call_that_must_be_made_is_one_of_the_tools_with_its_arguments(
    calling_engine: Supervisor, seed: int
) -> None:
    name, arguments = call_of(ask(calling_engine, seed))
    assert is_valid(SCHEMAS[name], arguments)


def test_the_named_tool_is_called(calling_engine: Supervisor) -> None:
    name, arguments = call_of(ask(calling_engine, tool_choice=ToolChoice("required", "switch_light")))
    assert name == "switch_light"
    assert is_valid(SCHEMAS[name], arguments)


def test_schema_that_cannot_be_enforced_is_refused_for_a_strict_tool_only(calling_engine: Supervisor) -> None:
    odd = {"type": "object", "properties": {"a": {"not": {}}}, "required": ["a"]}
    name, arguments = call_of(ask(calling_engine, tools=(Tool("odd", "", odd),)))
    assert (name, type(arguments)) == ("odd", dict)
    with pytest.raises(SchemaUnsupported, match="/odd/parameters/properties/a"):
        ask(calling_engine, tools=(Tool("odd", "", odd, strict=True),), tool_choice=ToolChoice("auto"))


def test_tools_and_a_format_of_the_answer_go_together(calling_engine: Supervisor) -> None:
    events = ask(calling_engine, tool_choice=ToolChoice("auto"), output=OutputFormat(schema={"enum": [1, 2]}))
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) in ("1", "2")


@pytest.mark.parametrize("name", ["Qwen3.5-4B", "GLM-4.6", "LFM2-8B-A1B"])
def test_arguments_that_are_written_one_by_one_are_bound(
    dense_path: Path, runtime_dir: Path, name: str
) -> None:
    template = (TEMPLATES / f"{name}.jinja").read_text("utf-8")
    supervisor = Supervisor(WORKER_COMMAND, runtime_dir, lambda _state: None)
    supervisor.start(LoadPlan(dense_path, name="calling", n_ctx_tokens=2048, chat_template=template))
    try:
        supervisor.wait_ready(120)
        for choice in (ToolChoice("required"), ToolChoice("required", "switch_light")):
            called, arguments = call_of(ask(supervisor, tool_choice=choice, thinking="off"))
            assert choice.name in ("", called)
            assert is_valid(SCHEMAS[called], arguments)
    finally:
        supervisor.stop()
