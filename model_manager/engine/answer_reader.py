"""What one answer needs to be made, and what its tokens mean."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from model_manager.engine.answer_parser import AnswerParser, Parts
from model_manager.engine.blocks import Start
from model_manager.engine.constraint import Constraint, ConstraintPlan
from model_manager.engine.dialects import Dialect
from model_manager.engine.jobs import CONTINUE, Feed, Stop, Verdict
from model_manager.engine.reasoning import Nudge, ThinkingBudget
from model_manager.engine.stops import StopStrings
from model_manager.errors import GrammarRefused
from model_manager.types import ThinkingEnd, Tool


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """What the making of an answer needs besides the model.

    Attributes:
        dialect: How the model writes.
        start: Where the prompt leaves off.
        wants_usage_apart: Usage comes in a chunk of its own, without choices.
        prompt_tokens: Ids to be told beside those of the answer; None where nobody wants either.
        tools: What the model may call; none leaves the notation of calls text.
        is_one_call: The answer ends with its first tool call.
        nudge: What is said to the model before its budget is spent.
        call_lead: Tokens that make the model call a tool once it has thought; none mostly.
        call_leads_within: The rest of them behind a marker by which it begins a section of calls itself.
        primed: What the prompt made the model say already, as tokens and their texts.
        dropped_reasoning_tokens: Of earlier answers, left out of the prompt.
        index: Which of several answers to one prompt it is; None where it is the only one. Of several, each
            tells of itself alone; `choices` makes one stream of them, and sums up.
    """

    id: str
    model: str
    dialect: Dialect
    start: Start
    budget_tokens: int | None
    stop: tuple[str, ...]
    wants_progress: bool
    wants_usage_apart: bool
    prompt_tokens: tuple[int, ...] | None = None
    wants_routing: bool = False
    wants_logprobs: bool = False
    tools: tuple[Tool, ...] = ()
    is_one_call: bool = False
    nudge: Nudge | None = None
    call_lead: tuple[int, ...] = ()
    call_leads_within: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    primed: tuple[tuple[int, str], ...] = ()
    dropped_reasoning_tokens: int = 0
    constraint: ConstraintPlan | None = None
    index: int | None = None


class AnswerReader:
    """Decides what the tokens of an answer mean; knows nothing of HTTP. Used on the decode thread.

    Attributes:
        constraint: What the tokens must obey; None is nothing.
    """

    def __init__(self, plan: AnswerPlan) -> None:
        self._parser = AnswerParser(plan.dialect, start=plan.start, tools=plan.tools)
        self._stops = StopStrings(plan.stop)
        self._budget = ThinkingBudget(plan.budget_tokens, plan.dialect.feed, plan.nudge)
        self._thinks = plan.dialect.thinks
        self._is_one_call = plan.is_one_call
        self._call_lead = plan.call_lead
        self._call_leads_within = plan.call_leads_within
        self._primed = [self._parser.feed(token_id, text) for token_id, text in plan.primed]
        self._bound = plan.constraint
        self.constraint: Constraint | None = None
        if plan.constraint is not None:
            self.constraint = plan.constraint.begin(is_free=self._is_free)

    @property
    def reasoning_tokens(self) -> int:
        """How many so far."""
        return self._parser.reasoning_tokens

    @property
    def reasoning_ended_by(self) -> ThinkingEnd | None:
        """What ended the reasoning, once the answer is over; None where there was none."""
        if self._parser.reasoning_tokens == 0:
            return None
        if self._budget.ended_by is not None:
            return self._budget.ended_by
        return "limit" if self._parser.in_reasoning else "model"

    @property
    def n_calls(self) -> int:
        """Tool calls so far."""
        return self._parser.n_calls

    @property
    def in_reasoning(self) -> bool:
        """Whether the next token belongs to the reasoning, as far as is known."""
        return self._parser.in_reasoning

    def conclude(self) -> None:
        """End the reasoning, or the next one, as soon as possible; from any thread."""
        self._budget.conclude()

    def read(self, token_id: int, text: str) -> tuple[Parts, Verdict]:
        """Take a token: what there is to show, and how to go on."""
        was_reasoning = self._parser.in_reasoning
        parts = self._with_primed(self._parser.feed(token_id, text))
        if self.constraint is not None:
            self.constraint.follow(is_free=self._is_free)
            self._bind_call(parts)
        if parts.answer:
            parts.answer = self._stops.feed(parts.answer)
            if self._stops.is_hit:
                return parts, Stop("stop")
        if self._is_one_call and self._parser.n_complete_calls:
            return parts, Stop("tool_calls")
        if self._thinks and (due := self._budget.due(self._parser)):
            return parts, Feed(due)
        if self._call_lead and was_reasoning and not self._parser.in_reasoning:
            lead, self._call_lead = self._call_lead, ()
            return parts, Feed(self._call_leads_within.get(self._parser.section, lead))
        return parts, CONTINUE

    def finish(self) -> Parts:
        """What was held back until the end."""
        parts = self._with_primed(self._parser.finish())
        parts.answer = self._stops.feed(parts.answer)
        if not self._stops.is_hit:
            parts.answer += self._stops.finish()
        return parts

    @property
    def _is_free(self) -> bool:
        """Whether no grammar binds the next token; that of a call binds the head of its message, too."""
        is_call = self._bound is not None and self._bound.is_call
        return self._parser.in_reasoning if is_call else self._parser.is_free

    def _bind_call(self, parts: Parts) -> None:
        """Where the arguments of a strict tool have just begun, have them bound from here on."""
        assert self._bound is not None
        assert self.constraint is not None
        begun = next((call for call in reversed(parts.calls) if call.name in self._bound.calls), None)
        if begun is None or self.constraint.holds or self._parser.n_complete_calls == self._parser.n_calls:
            return
        # A beginning that does not obey cannot be taken back: the call is then as the model makes it.
        with contextlib.suppress(GrammarRefused):
            self.constraint.bind(self._bound.calls[begun.name].begin(self._parser.take_arguments()))

    def _with_primed(self, parts: Parts) -> Parts:
        """What the prompt made the model say is told with its first token."""
        while self._primed:
            before = self._primed.pop()
            parts.reasoning = before.reasoning + parts.reasoning
            parts.answer = before.answer + parts.answer
            parts.calls = before.calls + parts.calls
        return parts
