"""JSON Lines for training: the shown branch of each conversation as one example.

Two shapes: ShareGPT (`{"conversations": [{"from": "human", "value": ...}]}`) and OpenAI's chat format
(`{"messages": [{"role": "user", "content": ...}]}`).

Source: https://platform.openai.com/docs/guides/supervised-fine-tuning (messages);
https://github.com/lm-sys/FastChat/blob/main/docs/training.md (conversations)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Literal

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.exporters.branches import reasoning_of, shown_branch, text_of
from storage.exchange.exporters.entropy import mean_entropy_bits
from storage.exchange.near_duplicates import NearDuplicates
from storage.tool_steps import steps_of

Shape = Literal["sharegpt", "openai"]
Reason = Literal["no_answer", "too_short", "too_long", "low_rating", "unsure", "near_duplicate"]
_SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


@dataclass(frozen=True, slots=True)
class Quality:
    """What an example must be.

    Attributes:
        min_characters: Of all its answers together.
        max_characters: Of all that is said; 0: any.
        similarity: From 0 to 1; an example that is this like an earlier one is left out. None: keep all.
        min_rating: Every answer that was rated must be rated at least so; None: any.
        max_entropy_bits: Of the choice of a token, on the average of each answer whose likelihoods were kept.
    """

    min_characters: int = 1
    max_characters: int = 0
    similarity: float | None = None
    min_rating: int | None = None
    max_entropy_bits: float | None = None


@dataclass(slots=True)
class Selection:
    """What became of the conversations.

    Attributes:
        left_out: How many, by reason.
    """

    n_written: int = 0
    left_out: dict[Reason, int] = field(default_factory=dict)


def write(
    conversations: Iterable[Carried],
    file: IO[str],
    shape: Shape,
    quality: Quality,
    *,
    with_reasoning: bool = False,
) -> Selection:
    """One line for each conversation that is good enough.

    Args:
        conversations: All of them, each is read once.
        file: Where to.
        shape: Of the lines.
        quality: What is good enough.
        with_reasoning: Before an answer, as `<think>`; else it is left out.
    """
    selection = Selection()
    seen = None if quality.similarity is None else NearDuplicates(quality.similarity)
    for conversation in conversations:
        turns = _turns(conversation)
        reason = _refusal(turns, quality)
        if reason is None and seen is not None and not seen.add(_all_text(turns)):
            reason = "near_duplicate"
        if reason is not None:
            selection.left_out[reason] = selection.left_out.get(reason, 0) + 1
            continue
        example = _example(conversation.system_prompt, turns, shape, with_reasoning)
        file.write(json.dumps(example, ensure_ascii=False) + "\n")
        selection.n_written += 1
    return selection


def _turns(conversation: Carried) -> list[CarriedMessage]:
    """Questions and whole answers by turns, ending with an answer; what follows a broken one is left out."""
    turns: list[CarriedMessage] = []
    for message in shown_branch(conversation):
        if message.role == "system":
            continue
        expected = "assistant" if turns and turns[-1].role == "user" else "user"
        if message.role != expected or not text_of(message).strip():
            break
        if message.role == "assistant" and message.status != "complete":
            break
        turns.append(message)
    if turns and turns[-1].role == "user":
        turns.pop()
    return turns


def _refusal(turns: Sequence[CarriedMessage], quality: Quality) -> Reason | None:
    answers = [message for message in turns if message.role == "assistant"]
    if not answers:
        return "no_answer"
    if sum(len(text_of(answer)) for answer in answers) < quality.min_characters:
        return "too_short"
    if quality.max_characters and sum(len(text_of(turn)) for turn in turns) > quality.max_characters:
        return "too_long"
    ratings = [answer.more["rating"] for answer in answers if isinstance(answer.more.get("rating"), int)]
    if quality.min_rating is not None and any(rating < quality.min_rating for rating in ratings):
        return "low_rating"
    entropies = map(mean_entropy_bits, answers) if quality.max_entropy_bits is not None else ()
    if any(bits is not None and bits > (quality.max_entropy_bits or 0.0) for bits in entropies):
        return "unsure"
    return None


def _example(
    system_prompt: str, turns: Sequence[CarriedMessage], shape: Shape, with_reasoning: bool
) -> dict[str, Any]:
    if shape == "openai":
        said: list[dict[str, Any]] = [{"role": "system", "content": system_prompt}] if system_prompt else []
        for turn in turns:
            said += _openai_turn(turn, with_reasoning)
        return {"messages": said}
    values = [{"from": "system", "value": system_prompt}] if system_prompt else []
    for turn in turns:
        reasoning = reasoning_of(turn) if with_reasoning else ""
        values.append({"from": _SPEAKERS[turn.role], "value": _with_thought(text_of(turn), reasoning)})
    return {"conversations": values}


def _openai_turn(turn: CarriedMessage, with_reasoning: bool) -> Iterator[dict[str, Any]]:
    """A turn; an answer that used tools is several."""
    if turn.role != "assistant":
        yield {"role": turn.role, "content": text_of(turn)}
        return
    for step in steps_of(turn.parts):
        said = {"role": "assistant", "content": _with_thought(step.text, step.reasoning * with_reasoning)}
        calls = [
            {"id": one.call_id, "type": "function", "function": {"name": one.name, "arguments": one.text}}
            for one in step.calls
        ]
        yield said | ({"tool_calls": calls} if calls else {})
        for result in step.results:
            yield {"role": "tool", "tool_call_id": result.call_id, "content": result.text}


def _with_thought(text: str, reasoning: str) -> str:
    reasoning = reasoning.strip()
    return f"<think>\n{reasoning}\n</think>\n\n{text}" if reasoning else text


def _all_text(turns: Sequence[CarriedMessage]) -> str:
    return "\n".join(text_of(turn) for turn in turns)
