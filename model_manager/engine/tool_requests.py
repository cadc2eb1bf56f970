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


ToolChoiceField = Literal["none", "auto", "required"] | NamedTool


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


def to_choice(field: ToolChoiceField | None, tools: Sequence[Tool]) -> ToolChoice:
    """Which tool must be called, if any.

    Raises:
        ValueError: It is not among the tools, or there are none.
    """
    if field is None or isinstance(field, str):
        if field == "required" and not tools:
            raise ValueError("tool_choice: there are no tools")
        return ToolChoice(field or "auto")
    if field.function.name not in [tool.name for tool in tools]:
        raise ValueError(f"tool_choice: {field.function.name} is not among the tools")
    return ToolChoice("required", field.function.name)
