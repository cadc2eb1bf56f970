"""Grammars of tool calls: of the arguments, or of the whole call behind what begins it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_manager.engine import gbnf
from model_manager.engine.argument_grammars import any_arguments, argument_rules
from model_manager.engine.families import Family
from model_manager.engine.gbnf import Expr, Ref, alt, prefixed, seq, written
from model_manager.engine.schema import schema_rules
from model_manager.errors import SchemaUnsupported
from model_manager.types import Tool, ToolChoice


def arguments_grammar(family: Family, tool: Tool) -> str:
    """The grammar of a tool's arguments, from the head of a call on.

    Raises:
        SchemaUnsupported: The tool is strict, and its schema cannot be met or enforced.
    """
    return _text(_arguments(family, tool))


def call_grammar(family: Family, tools: Sequence[Tool], choice: ToolChoice) -> str | None:
    """The grammar of what follows the beginning of a call that the model must make; None binds nothing.

    Where no single tool is meant, that beginning ends before the name, and the name is bound, too.

    Raises:
        SchemaUnsupported: As `arguments_grammar`.
    """
    meant = [tool for tool in tools if choice.name in ("", tool.name)]
    parts = family.call_parts
    has_name = bool(choice.name) or len(tools) == 1
    if parts is None:
        return None
    rules: dict[str, Expr] = {}
    options: list[Expr] = []
    for number, tool in enumerate(meant):
        rules |= prefixed(_arguments(family, tool), f"t{number}-")
        behind_name = Ref(f"t{number}-root")
        options.append(behind_name if has_name else seq(f"{tool.name}{parts[1]}", behind_name))
    return _text({"root": alt(*options), **rules})


def _arguments(family: Family, tool: Tool) -> dict[str, Expr]:
    schema: dict[str, Any] = {"type": "object", **tool.parameters}
    if not schema.get("properties"):
        schema = {"additionalProperties": False, **schema}  # a tool without parameters takes none
    form = family.tools.form if family.tools is not None else None
    try:
        rules = schema_rules(schema) if form is None else argument_rules(form, schema)
        _text(rules)
    except SchemaUnsupported as error:
        if tool.strict:
            raise SchemaUnsupported(f"/{tool.name}/parameters{error.path}", error.reason) from None
        return schema_rules({"type": "object"}) if form is None else any_arguments(form)
    return rules


def _text(rules: dict[str, Expr]) -> str:
    text = written(rules)
    if text is None:
        raise SchemaUnsupported("", "nothing can meet it")
    if len(text.encode()) > gbnf.MAX_BYTES:
        raise SchemaUnsupported("", "it is too large")
    return text
