"""The small print of a message: its states, its facts, what its reasoning took."""

from __future__ import annotations

from storage.records import Generation, Message
from ui import formats
from ui.i18n import tr, trn
from ui.values import StreamUpdate


def thinking(message: Message, live: StreamUpdate | None) -> str:
    """Heading of the reasoning, while it runs and afterwards."""
    generation = message.generation
    if live is not None:
        seconds: float | None = live.reasoning_s
        tokens: int | None = live.reasoning_tokens
    else:
        milliseconds = generation.reasoning_ms if generation else None
        seconds = milliseconds / 1000 if milliseconds is not None else None
        tokens = generation.reasoning_tokens if generation else None
    is_running = live is not None and live.phase == "reasoning"
    time = formats.duration(seconds) if seconds else ""
    if is_running:
        head = tr("Thinking… {time}", time=time) if time else tr("Thinking…")
    else:
        head = tr("Thought for {time}", time=time) if time else tr("Thought")
    rest = [_thinking_rate(tokens, seconds), *_how_thinking_went(generation)] if live is None else []
    return " · ".join(part for part in (head, _count(tokens), *rest) if part)


def _thinking_rate(tokens: int | None, seconds: float | None) -> str:
    return tr("{rate} tokens/s", rate=formats.decimal(tokens / seconds)) if tokens and seconds else ""


def _how_thinking_went(generation: Generation | None) -> tuple[str, str]:
    """How hard the model was asked to think, and what ended it, where that was not the model."""
    if generation is None:
        return "", ""
    effort = tr("effort {level}", level=generation.effort) if generation.effort else ""
    return effort, _thinking_end(generation)


def _thinking_end(generation: Generation) -> str:
    match generation.thinking_ended_by:
        case "budget" if generation.think_budget_tokens:
            return tr("ended by the budget of {n}", n=formats.number(generation.think_budget_tokens))
        case "budget":
            return tr("ended by the budget")
        case "person":
            return tr("ended by you")
        case "limit":
            return tr("cut off before its end")
    return ""


def prefill(live: StreamUpdate) -> str:
    """What is shown until the first token."""
    if live.prefill_permille <= 0:
        return tr("Waiting for the model…")
    return tr("Reading the prompt… {percent} %", percent=live.prefill_permille // 10)


def status(message: Message) -> tuple[str, bool]:
    """A sentence about how an answer ended, if there is anything to say; and whether it is an error."""
    reason = message.generation.stop_reason if message.generation else None
    if message.status == "failed":
        return tr("The answer failed. What had arrived is kept."), True
    if message.status == "interrupted":
        return tr("Interrupted; what had arrived is kept."), False
    if message.status == "complete":
        if reason == "cancelled":
            return tr("Stopped by you."), False
        if reason == "length":
            return tr("Stopped at the longest length that is set."), False
        if reason == "context_full":
            return tr("The context is full; nothing more fits into it."), True
        if reason == "error":
            return tr("The answer failed. What had arrived is kept."), True
    return "", False


def facts(generation: Generation | None) -> str:
    """Speed and counts of a finished answer; what was not measured is left out."""
    if generation is None:
        return ""
    parts = []
    if generation.decode_tokens_per_s is not None:
        parts.append(tr("{rate} tokens/s", rate=formats.decimal(float(generation.decode_tokens_per_s))))
    parts.append(_count(generation.completion_tokens))
    if generation.ttft_ms is not None:
        seconds = generation.ttft_ms / 1000
        parts.append(
            tr("first after {seconds} s", seconds=formats.decimal(seconds, 2 if seconds < 10 else 0))
        )
    if generation.cached_tokens:
        parts.append(tr("{n} cached", n=formats.number(generation.cached_tokens)))
    return "  ·  ".join(part for part in parts if part)


def running_facts(live: StreamUpdate) -> str:
    """Speed and count of an answer that is arriving."""
    parts = []
    if live.tokens_per_s is not None:
        parts.append(tr("{rate} tokens/s", rate=formats.decimal(float(live.tokens_per_s))))
    parts.append(_count(live.completion_tokens))
    return "  ·  ".join(part for part in parts if part)


def speaker(message: Message) -> str:
    """Who says it: the model's name, or the role."""
    if message.role == "assistant":
        return message.generation.model_name if message.generation else tr("Assistant")
    return tr("You") if message.role == "user" else tr("System")


def _count(tokens: int | None) -> str:
    return trn("{n} token", "{n} tokens", tokens, n_text=formats.number(tokens)) if tokens else ""
