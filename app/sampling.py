"""How an answer shall be made, merged from what was set for all, for one conversation, and for one answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

from model_manager.types import ReasoningHistory, SamplingParams, Thinking

_SAMPLING_NAMES = frozenset(field.name for field in fields(SamplingParams))


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """Everything about an answer but its prompt."""

    sampling: SamplingParams
    thinking: Thinking
    think_budget_tokens: int | None
    think_nudge_tokens: int | None = None
    reasoning_history: ReasoningHistory = "template"
    reasoning_effort: str | None = None


def merge(*layers: Mapping[str, Any]) -> AnswerOptions:
    """Later layers win; a value of None leaves what an earlier layer says.

    Names are those of `SamplingParams` and of `AnswerOptions`; others, which a later version of the program
    may have stored, are ignored.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= {name: value for name, value in layer.items() if value is not None}
    known = {name: value for name, value in merged.items() if name in _SAMPLING_NAMES}
    if "stop" in known:
        known["stop"] = tuple(known["stop"])
    if "logit_bias" in known:
        # JSON, which layers are kept in, has only strings as keys.
        known["logit_bias"] = {int(token): bias for token, bias in known["logit_bias"].items()}
    effort = merged.get("reasoning_effort")
    thinking, history = merged.get("thinking"), merged.get("reasoning_history")
    return AnswerOptions(
        SamplingParams(**known),
        cast("Thinking", thinking) if thinking in ("on", "off") else "auto",
        merged.get("think_budget_tokens"),
        merged.get("think_nudge_tokens"),
        cast("ReasoningHistory", history) if history in ("keep", "last", "drop") else "template",
        effort if isinstance(effort, str) and effort else None,
    )


def parameters(options: AnswerOptions) -> dict[str, Any]:
    """The same as JSON values, for the record of a generation."""
    values: dict[str, Any] = {name: getattr(options.sampling, name) for name in sorted(_SAMPLING_NAMES)}
    values["stop"] = list(values["stop"])
    values["logit_bias"] = {str(token): bias for token, bias in values["logit_bias"].items()}
    return values | {
        "thinking": options.thinking,
        "think_budget_tokens": options.think_budget_tokens,
        "think_nudge_tokens": options.think_nudge_tokens,
        "reasoning_history": options.reasoning_history,
        "reasoning_effort": options.reasoning_effort,
    }
