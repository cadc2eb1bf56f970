"""An answer that used tools, as what was said and called, and what came of it, step by step."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from storage.records import Part


@dataclass(frozen=True, slots=True)
class Step:
    """One stretch of an answer.

    Attributes:
        calls: What was called after the text; each has an id.
        results: Each with the id of one of the calls.
    """

    text: str
    reasoning: str
    calls: tuple[Part, ...] = ()
    results: tuple[Part, ...] = ()


def steps_of(parts: Iterable[Part]) -> list[Step]:
    """The steps of an answer; one, or none, where it used no tools.

    Other programs keep no ids, and some no calls: results then belong to the calls in their order, and one
    without a call gets one that says nothing. Arguments become the text of a JSON object.
    """
    found: list[Step] = []
    said: dict[str, str] = {"text": "", "reasoning": ""}
    calls: list[Part] = []
    results: list[Part] = []

    def end() -> None:
        if any(said.values()) or calls:
            found.append(Step(said["text"], said["reasoning"], tuple(calls), tuple(results)))
        said.update(text="", reasoning="")
        calls.clear()
        results.clear()

    for number, part in enumerate(parts):
        if part.kind in said:
            if calls:
                end()
            said[part.kind] += part.text
        elif part.kind == "tool_call":
            if results:
                end()
            calls.append(
                replace(part, text=_object(part.text), call_id=part.call_id or f"call{number}", data=None)
            )
        elif part.kind == "tool_result":
            done = {result.call_id for result in results}
            waiting = [call.call_id for call in calls if call.call_id not in done]
            if not waiting:
                waiting = [f"call{number}"]
                calls.append(Part("tool_call", "{}", part.name or "tool", waiting[0]))
            call_id = part.call_id if part.call_id in waiting else waiting[0]
            results.append(replace(part, call_id=call_id))
    end()
    return found


def _object(arguments: str) -> str:
    """Arguments as models and templates know them; some programs keep code there."""
    try:
        if isinstance(json.loads(arguments or "{}"), dict):
            return arguments or "{}"
    except (ValueError, RecursionError):
        pass
    return json.dumps({"input": arguments}, ensure_ascii=False)
