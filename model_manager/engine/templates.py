r"""A model's chat template: from messages to prompt text in which every piece knows where it came from.

The template never sees what people wrote. It is rendered with a stand-in for each text, and the stand-ins
are replaced afterwards, so a message can neither steer the template nor be mistaken for its markers:

    messages   -> [{"role": "user", "content": "<stand-in 0>"}, ...]
    rendering  -> "<|im_start|>user\n<stand-in 0><|im_end|>\n<|im_start|>assistant\n"
    prompt     -> (Segment("<|im_start|>user\n", trusted), Segment("Hello", not trusted), ...)

`prompts` then tokenizes the two kinds differently. Whitespace at both ends of a text stays visible to
the template, because many trim it.
"""

from __future__ import annotations

import functools
import json
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from model_manager.engine import tool_literals
from model_manager.engine.blocks import Start
from model_manager.engine.families import Family, family_of
from model_manager.engine.sandbox import MAX_SOURCE_CHARS, CompiledTemplate
from model_manager.engine.stand_ins import Segment, StandIns, marked_as_json
from model_manager.engine.turns import Turns, TurnStyle, tool_dictionaries
from model_manager.errors import EmptyPrompt, TemplateFailed, ToolsUnsupported
from model_manager.types import ChatMessage, PromptImage, ReasoningHistory, Thinking, Tool, ToolCall

log = logging.getLogger(__name__)

CHATML: Final = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""For models without a template of their own, as llama.cpp does."""

RETRY_WITHIN_S: Final = 0.5
"""A template that takes longer is not tried in other ways: it would hang again."""

SWITCHES: Final[Mapping[str, tuple[Any, Any]]] = {
    "enable_thinking": (True, False),
    "thinking": (True, False),
}
"""Template variables that turn thinking on and off."""
EFFORTS: Final = ("reasoning_effort", "thinking_effort", "reasoning_strength")
"""Template variables that say how much to think."""
NO_EFFORTS: Final = ("none", "no_think", "minimal")
"""Values of an effort that mean no thinking, in templates that know them and have no switch."""
HISTORY_SWITCHES: Final[Mapping[str, bool]] = {
    "preserve_thinking": True,
    "preserved_thinking": True,
    "clear_thinking": False,
    "truncate_history_thinking": False,
    "drop_thinking": False,
}
"""Template variables that keep the reasoning of earlier answers, with the value that does."""
TOOL_VARIABLES: Final = ("tools", "xml_tools", "functions")
"""Template variables that take the tools; the last one as text."""


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt before it is tokenized.

    Attributes:
        start: Where in its turn the model is to go on; "reasoning" if the prompt has opened it already.
        dropped_reasoning: The reasoning of earlier answers that is not in it.
    """

    segments: tuple[Segment, ...]
    start: Start = "turn"
    dropped_reasoning: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The whole prompt as one string; for people and tests, tokenize the segments instead."""
        return "".join(segment.text for segment in self.segments)


class ChatTemplate:
    """A compiled template; any number of threads may render it.

    Attributes:
        family: How its model writes reasoning and tool calls.
        switches: Which of its variables turn thinking on and off or set its effort.
    """

    def __init__(self, source: str | None, *, bos_text: str = "", eos_text: str = "") -> None:
        """Compile.

        Args:
            source: Jinja text; None or blank takes ChatML.
            bos_text: The text of the model's begin-of-sequence token.
            eos_text: The same of its end-of-sequence token.

        Raises:
            TemplateFailed: It is not a template, or too large.
        """
        self.source = source if source is not None and source.strip() else CHATML
        if len(self.source) > MAX_SOURCE_CHARS:
            raise TemplateFailed(f"the template has {len(self.source)} characters")
        self._bos_text = bos_text
        self._eos_text = eos_text
        self._template = CompiledTemplate(self.source)
        self.switches = self._template.variables & {*SWITCHES, *EFFORTS}
        self.family: Family = family_of(self.source)

    @property
    def can_think(self) -> bool:
        """Whether it opens, keeps or switches a thinking block."""
        return self.family.reasoning is not None or bool(self.switches)

    @property
    def takes_effort(self) -> bool:
        """Whether it has a word for how hard to think."""
        return not self.switches.isdisjoint(EFFORTS)

    @property
    def takes_tools(self) -> bool:
        """Whether it has words for tools, and its model a notation for calls that is known."""
        knows_calls = self.family.tools is not None or self.family.style != "blocks"
        return knows_calls and not self._template.variables.isdisjoint(TOOL_VARIABLES)

    def render(
        self,
        messages: Sequence[ChatMessage],
        thinking: Thinking = "auto",
        effort: str | None = None,
        *,
        continues: bool = False,
        tools: Sequence[Tool] = (),
        history: ReasoningHistory = "template",
    ) -> RenderedPrompt:
        """Make the prompt that asks for the next turn of the assistant.

        A system message that the template refuses or drops is put in front of the first user message; a
        template that wants a message's content in parts gets it in parts.

        Args:
            messages: The conversation, the last one to be answered.
            thinking: "auto" leaves the template's own default.
            effort: Value for a template that takes a reasoning effort; None lets the template choose.
            continues: The last message is the assistant's and not finished: its next word is asked for.
            tools: What may be called.
            history: What becomes of the reasoning of earlier answers.

        Raises:
            EmptyPrompt: The last message that is not a system message has no text, or there is none.
            ToolsUnsupported: There are tools, or calls of tools, and the template has no words for them.
            TemplateFailed: The template raised, went over a limit, or leaves messages out.
        """
        if continues:
            before = self.render(messages[:-1], thinking, effort, tools=tools, history=history)
            return self._continued(before, messages[-1])
        said = [message for message in messages if message.role != "system"]
        if not said or not (said[-1].content.strip() or said[-1].images or said[-1].role == "tool"):
            raise EmptyPrompt
        if tools and not self.takes_tools:
            raise ToolsUnsupported
        kept, dropped = _without_reasoning(messages, history)
        variables = self._variables(thinking, effort, history)
        failure: TemplateFailed | None = None
        began_s = time.monotonic()
        for attempt in self._attempts(kept):
            try:
                prompt = self._render(attempt, variables, tools)
                return replace(prompt, dropped_reasoning=dropped + prompt.dropped_reasoning)
            except TemplateFailed as error:
                failure = failure or error
            if time.monotonic() - began_s > RETRY_WITHIN_S:
                break
        assert failure is not None
        raise failure

    def _attempts(self, messages: Sequence[ChatMessage]) -> Iterator[_Attempt]:
        styles = [TurnStyle(), TurnStyle(in_parts=True)]
        if any(message.tool_calls for message in messages):
            first = self._style_of_calls
            styles = [first, replace(first, in_parts=True)]
            if not first.text_arguments:
                styles.append(replace(first, text_arguments=True))
            if any(len(message.tool_calls) > 1 for message in messages):
                split = [replace(style, splits_calls=True) for style in styles]
                # gpt-oss's template says nothing of calls behind the first one; others refuse.
                styles = split if self.family.style == "harmony" else styles + split
        yield from (_Attempt(messages, style) for style in styles)
        merged = _merge_system(messages)
        if merged is not None:
            yield from (_Attempt(merged, style) for style in styles)

    @functools.cached_property
    def _style_of_calls(self) -> TurnStyle:
        """How it wants tool calls of earlier turns: told by what it makes of one.

        Raises:
            ToolsUnsupported: It makes nothing of one, and neither do we.
        """
        call = ToolCall("call00001", "probe", '{"probe_key": "probe_value"}')
        messages = [
            ChatMessage("user", "probe"),
            ChatMessage("assistant", "", tool_calls=(call,)),
            ChatMessage("tool", "probe", tool_call_id=call.id),
        ]
        variables = self._variables("auto", None, "template")
        for style in (TurnStyle(), TurnStyle(in_parts=True), TurnStyle(text_arguments=True)):
            try:
                text = self._render(_Attempt(messages, style), variables, (Tool("probe"),)).text
            except TemplateFailed:
                continue
            if "probe_value" not in text:
                if self.family.tools is not tool_literals.LFM2:
                    raise ToolsUnsupported
                return TurnStyle(drops_calls=True)
            # A template that writes the object itself writes it as Python, not as JSON.
            return TurnStyle(text_arguments="{'probe_key'" in text)
        return TurnStyle()

    def _variables(self, thinking: Thinking, effort: str | None, history: ReasoningHistory) -> dict[str, Any]:
        # `tools` and `documents` stay undefined: some templates that come with tools loop over them unasked.
        variables: dict[str, Any] = {"bos_token": self._bos_text, "eos_token": self._eos_text}
        # Some demand these, which llama.cpp and Fireworks give.
        today = datetime.now()
        variables |= {"functions": "", "datetime": f"{today:%b %d %Y}", "date_string": f"{today:%d %b %Y}"}
        if thinking != "auto":
            for name in self.switches & SWITCHES.keys():
                variables[name] = SWITCHES[name][0 if thinking == "on" else 1]
        if effort is None:
            effort = self._effort_for(thinking)
        if effort is not None:
            for name in self.switches.intersection(EFFORTS):
                variables[name] = effort
        if history in ("keep", "last"):
            for name in self._template.variables & HISTORY_SWITCHES.keys():
                variables[name] = HISTORY_SWITCHES[name]
        return variables

    def _effort_for(self, thinking: Thinking) -> str | None:
        """The effort that switches thinking, in a template that has no other switch."""
        if thinking == "auto" or self.switches & SWITCHES.keys():
            return None
        known = [v for v in NO_EFFORTS if f"'{v}'" in self.source or f'"{v}"' in self.source]
        if not known:
            return None
        # Where thinking is what must be asked for, the highest effort is what everyone knows.
        return known[0] if thinking == "off" else "high" if known[0] == "no_think" else None

    def _render(
        self, attempt: _Attempt, variables: Mapping[str, Any], tools: Sequence[Tool]
    ) -> RenderedPrompt:
        stand_ins = StandIns()
        turns = Turns(self.source, self.family, attempt.style, stand_ins)
        turns.add(attempt.messages)
        values = {**variables, "messages": turns.messages, "add_generation_prompt": True}
        if tools:
            described = tool_dictionaries(tools, stand_ins)
            as_text = marked_as_json(json.dumps(described, ensure_ascii=False, indent=2))
            values |= {"tools": described, "xml_tools": described, "functions": as_text}
        text = self._template.render(values)
        segments = stand_ins.replace(text)
        used = stand_ins.used(text)
        is_whole = turns.wanted.issubset(used)
        if not is_whole or [number for number in used if number in turns.required] != turns.required:
            raise TemplateFailed("the template leaves out, repeats or reorders messages")
        dropped = tuple(text for number, text in turns.reasoning.items() if number not in used)
        return RenderedPrompt(segments, self._start(segments), dropped)

    def _continued(self, prompt: RenderedPrompt, begun: ChatMessage) -> RenderedPrompt:
        """A prompt with what the assistant has said already; inside its reasoning where it got no further."""
        family = self.family
        segments = list(prompt.segments)
        start = prompt.start
        if begun.reasoning and family.reasoning is not None:
            if start != "reasoning":
                segments = self._without_empty_block(segments)
                segments.append(Segment(family.opening_text, is_trusted=True))
            segments.append(Segment(begun.reasoning, is_trusted=False))
            start = "reasoning"
        if begun.content or start != "reasoning":
            lead = family.closing_text if start == "reasoning" else family.answer_lead
            segments += [Segment(lead, is_trusted=True), Segment(begun.content, is_trusted=False)]
            start = "answer"
        kept = tuple(segment for segment in segments if segment.text or segment.image)
        return replace(prompt, segments=kept, start=start)

    def _without_empty_block(self, segments: list[Segment]) -> list[Segment]:
        """Take back the empty reasoning by which a prompt keeps a model from thinking."""
        pair = self.family.reasoning
        if pair is None or not segments or not segments[-1].is_trusted:
            return segments
        empty = re.compile(rf"(?:{re.escape(pair.opening)}\s*)?{re.escape(pair.closing)}\s*$")
        return [*segments[:-1], replace(segments[-1], text=empty.sub("", segments[-1].text))]

    def _start(self, segments: Sequence[Segment]) -> Start:
        """Whether the text after the last message opens a thinking block and leaves it open."""
        pair = self.family.reasoning
        if pair is None or self.family.style != "blocks" or not segments or not segments[-1].is_trusted:
            return "turn"
        tail = segments[-1].text
        return "reasoning" if tail.rfind(pair.opening) > tail.rfind(pair.closing) else "turn"


@dataclass(frozen=True, slots=True)
class _Attempt:
    messages: Sequence[ChatMessage]
    style: TurnStyle


def _without_reasoning(
    messages: Sequence[ChatMessage], history: ReasoningHistory
) -> tuple[Sequence[ChatMessage], tuple[str, ...]]:
    """The messages without the reasoning that is not wanted, and that reasoning."""
    if history not in ("drop", "last"):
        return messages, ()
    answers = [message for message in messages if message.role == "assistant"]
    spared = answers[-1] if answers and history == "last" else None
    dropped = tuple(m.reasoning for m in messages if m.reasoning and m is not spared)
    return [m if m is spared else replace(m, reasoning="") for m in messages], dropped


def _merge_system(messages: Sequence[ChatMessage]) -> list[ChatMessage] | None:
    """Put the system message's text before the first user message; None if there is nothing to merge."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    rest = [message for message in messages if message.role != "system"]
    if not system or not rest or rest[0].role != "user":
        return None
    first = rest[0]
    before = f"{system}\n\n"
    images = tuple(PromptImage(len(before) + image.offset, image.data) for image in first.images)
    return [ChatMessage("user", before + first.content, images=images), *rest[1:]]
