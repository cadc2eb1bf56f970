"""What a request says of tools: OpenAI's schema of them, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from model_manager.types import Tool, ToolCall, ToolChoice

MAX_TOOLS: Final = 512
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,128}$")]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Function(_Lenient):
    """A function that may be called."""

    name: _Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolDefinition(_Lenient):
    """A tool; there are none but functions."""

    type: Literal["function"]
    function: Function


class NamedFunction(_Lenient):
    """A function that was chosen."""

    name: str


class NamedTool(_Lenient):
    """The tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


class AllowedTools(_Lenient):
    """Those of the tools that may be called, and whether one must be."""

    mode: Literal["auto", "required"]
    tools: list[NamedTool]


class AllowedToolsChoice(_Lenient):
    """A choice of several tools."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


ToolChoiceField = (
    Literal["none", "auto", "required"]
    | Annotated[NamedTool | AllowedToolsChoice, Field(discriminator="type")]
)


class CalledFunction(_Lenient):
    """What an assistant called."""

    name: str
    arguments: str = "{}"


class RequestToolCall(_Lenient):
    """A call in an assistant's message."""

    id: str = ""
    type: Literal["function"] = "function"
    function: CalledFunction

    def to_call(self) -> ToolCall:
        """As the rest of the program knows it."""
        return ToolCall(self.id, self.function.name, self.function.arguments)


def to_tools(definitions: Sequence[ToolDefinition] | None) -> tuple[Tool, ...]:
    """As the rest of the program knows them.

    Raises:
        ValueError: Two have the same name.
    """
    functions = [definition.function for definition in definitions or ()]
    names = [function.name for function in functions]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"tools: {name} is there twice")
    return tuple(Tool(f.name, f.description or "", f.parameters or {}, bool(f.strict)) for f in functions)


def to_offer(field: ToolChoiceField | None, tools: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], ToolChoice]:
    """The tools that may be called, and which one must be, if any.

    Raises:
        ValueError: A chosen one is not among the tools, or one must be called and there are none.
    """
    if isinstance(field, AllowedToolsChoice):
        allowed = {_among(tools, named) for named in field.allowed_tools.tools}
        tools = tuple(tool for tool in tools if tool.name in allowed)
        choice = ToolChoice(field.allowed_tools.mode)
    elif isinstance(field, NamedTool):
        return tools, ToolChoice("required", _among(tools, field))
    else:
        choice = ToolChoice(field or "auto")
    if choice.mode == "required" and not tools:
        raise ValueError("tool_choice: there are no tools")
    return (tools if choice.mode != "none" else ()), choice


def _among(tools: tuple[Tool, ...], named: NamedTool) -> str:
    name = named.function.name
    if name not in [tool.name for tool in tools]:
        raise ValueError(f"tool_choice: {name} is not among the tools")
    return name
