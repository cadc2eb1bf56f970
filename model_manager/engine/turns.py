"""The messages of a chat as a template wants them: dialects of the same dictionaries."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from model_manager.engine import tool_literals
from model_manager.engine.families import Family
from model_manager.engine.stand_ins import StandIns
from model_manager.types import ChatMessage, Tool, ToolCall

_SHORT_IDS: Final = re.compile(r"length\s*!=\s*9|\|\s*length\s*==\s*9")
_THINKING_BLOCKS: Final = re.compile(r"\[\s*'type'\s*\]\s*==\s*'thinking'")
_ID_CHARS: Final = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class TurnStyle:
    """What a template expects of a message.

    Attributes:
        in_parts: Content as a list of parts.
        text_arguments: The arguments of tool calls as the text of a JSON object, not as the object.
        drops_calls: It writes no tool calls of earlier turns, so they are put into the content.
        splits_calls: It takes one call a message, so several become messages, each before its result.
    """

    in_parts: bool = False
    text_arguments: bool = False
    drops_calls: bool = False
    splits_calls: bool = False


class Turns:
    """Builds the dictionaries for one rendering.

    Attributes:
        messages: What the template gets.
        required: Numbers of the stand-ins that must come out in this order.
        wanted: Numbers of those that must come out, in any order: results of tools.
        reasoning: Texts of reasoning by the numbers of their stand-ins.
    """

    def __init__(self, source: str, family: Family, style: TurnStyle, stand_ins: StandIns) -> None:
        self._family = family
        self._style = style
        self._stand_ins = stand_ins
        self._has_short_ids = _SHORT_IDS.search(source) is not None
        self._has_thinking_blocks = _THINKING_BLOCKS.search(source) is not None
        # The older templates of Gemma 4 know no role "tool".
        self._joins_results = "['tool_responses']" in source and "OpenAI Chat Completions" not in source
        self._is_harmony = family.style == "harmony"
        self.messages: list[dict[str, Any]] = []
        self.required: list[int] = []
        self.wanted: set[int] = set()
        self.reasoning: dict[int, str] = {}

    def add(self, messages: Sequence[ChatMessage]) -> None:
        """Append messages."""
        called: dict[str, str] = {}
        messages = _in_call_order(messages)
        for message in _one_call_each(messages) if self._style.splits_calls else messages:
            called |= {call.id: call.name for call in message.tool_calls}
            turn = self._turn(message)
            caller = self.messages[-1] if self.messages else {}
            if self._joins_results and message.role == "tool" and "tool_calls" in caller:
                name = self._stand_ins.add_value(called.get(message.tool_call_id, ""))
                response = {"name": name, "response": turn["content"]}
                caller.setdefault("tool_responses", []).append(response)
            elif "tool_responses" in caller and message.role == "assistant" and not message.tool_calls:
                caller["content"] = turn["content"]
            else:
                self.messages.append(turn)

    def _turn(self, message: ChatMessage) -> dict[str, Any]:
        content, numbers = self._stand_ins.add_content(message)
        if message.role == "tool":
            self.wanted.update(numbers)
        elif message.role != "assistant":
            self.required += numbers
        turn: dict[str, Any] = {"role": message.role}
        if message.role == "assistant":
            return turn | self._assistant(message, content)
        if message.role == "tool":
            turn["tool_call_id"] = self._call_id(message.tool_call_id)
        turn["content"] = self._content(content)
        return turn

    def _assistant(self, message: ChatMessage, content: str) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if message.tool_calls and self._style.drops_calls:
            content += self._written_calls(message.tool_calls)
        elif message.tool_calls:
            fields["tool_calls"] = [self._call(call) for call in message.tool_calls]
        fields["content"] = self._content(content)
        if message.reasoning:
            thought = self._stand_ins.add(message.reasoning)
            self.reasoning[self._stand_ins.last] = message.reasoning
            if self._is_harmony and message.tool_calls and message.content.strip():
                thought = f"{thought}\n\n{content}"
            if self._has_thinking_blocks:
                blocks = [{"type": "thinking", "thinking": thought}]
                fields["content"] = blocks + ([{"type": "text", "text": content}] if content else [])
            else:
                # Different makers of templates call it differently; each reads one of them.
                fields |= {"reasoning_content": thought, "reasoning": thought, "thinking": thought}
                if self._is_harmony and message.tool_calls:
                    del fields["content"]  # it takes one text there, and says so
        return fields

    def _content(self, content: str) -> Any:
        return [{"type": "text", "text": content}] if self._style.in_parts else content

    def _call(self, call: ToolCall) -> dict[str, Any]:
        arguments: Any = self._arguments(call)
        if arguments is None or self._style.text_arguments:
            arguments = self._stand_ins.add(call.arguments or "{}")
        else:
            arguments = self._stand_ins.add_value(arguments)
        function = {"name": self._stand_ins.add_value(call.name), "arguments": arguments}
        return {"id": self._call_id(call.id), "type": "function", "function": function}

    @staticmethod
    def _arguments(call: ToolCall) -> dict[str, Any] | None:
        """The arguments of a call; None where its text is no JSON object."""
        try:
            value = json.loads(call.arguments or "{}")
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def _call_id(self, call_id: str) -> Any:
        if self._has_short_ids and not re.fullmatch(r"[A-Za-z0-9]{9}", call_id):
            digest = hashlib.sha256(call_id.encode()).digest()
            return "".join(_ID_CHARS[byte % len(_ID_CHARS)] for byte in digest[:9])
        return self._stand_ins.add_value(call_id)

    def _written_calls(self, calls: Sequence[ToolCall]) -> str:
        """Calls in the notation of the model itself, for a template that has no words for them."""
        marker = self._stand_ins.add_marker
        if self._family.tools is tool_literals.LFM2:
            body = ", ".join(tool_literals.python_call(call.name, self._arguments(call)) for call in calls)
            begin, end = marker("<|tool_call_start|>"), marker("<|tool_call_end|>")
            return f"{begin}{self._stand_ins.add(f'[{body}]')}{end}"
        body = "\n".join(json.dumps({"name": c.name, "arguments": self._arguments(c)}) for c in calls)
        return self._stand_ins.add(body)


def _in_call_order(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Results in the order of the calls: most templates write no ids, so it alone tells them apart."""
    found: list[ChatMessage] = []
    places: dict[str, int] = {}
    for is_result, group in itertools.groupby(messages, lambda message: message.role == "tool"):
        turns = list(group)
        if is_result and all(turn.tool_call_id in places for turn in turns):
            turns.sort(key=lambda turn: places[turn.tool_call_id])
        places = {call.id: number for number, call in enumerate(turns[-1].tool_calls)}
        found += turns
    return found


def _one_call_each(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The same conversation as if the calls of a message had been made one after the other."""
    found: list[ChatMessage] = []
    rest = list(messages)
    while rest:
        message = rest.pop(0)
        if len(message.tool_calls) < 2:
            found.append(message)
            continue
        results: list[ChatMessage] = []
        while rest and rest[0].role == "tool":
            results.append(rest.pop(0))
        for number, call in enumerate(message.tool_calls):
            found.append(
                replace(message, tool_calls=(call,))
                if number == 0
                else ChatMessage("assistant", "", tool_calls=(call,))
            )
            of_call = [result for result in results if result.tool_call_id == call.id]
            found += of_call
            results = [result for result in results if result not in of_call]
        found += results
    return found


def tool_dictionaries(tools: Sequence[Tool], stand_ins: StandIns) -> list[dict[str, Any]]:
    """Tools as templates want them."""
    found = []
    for tool in tools:
        function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        found.append({"type": "function", "function": stand_ins.add_value(function)})
    return found
