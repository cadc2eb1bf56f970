"""Which family a chat template belongs to, and so how its model writes reasoning and tool calls.

A family is told by the markers in a template's text, never by a model's name: whoever trains a new model on
an old notation, or renames a file, is understood all the same.

Source: llama.cpp, common/chat.cpp (`common_chat_try_specialized_template`) at 0c1e57098.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from model_manager.engine import tool_formats, tool_literals, tool_nesting, tool_tags
from model_manager.engine.tool_formats import ToolFormat

Style = Literal["blocks", "harmony", "recipients", "functionary"]


@dataclass(frozen=True, slots=True)
class MarkerPair:
    """How something is enclosed in a model's text."""

    opening: str
    closing: str


MARKER_PAIRS: Final = (
    MarkerPair("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    MarkerPair("<|channel>thought", "<channel|>"),
    MarkerPair("<mm:think>", "</mm:think>"),
    MarkerPair("<seed:think>", "</seed:think>"),
    MarkerPair("<think:opensource>", "</think:opensource>"),
    MarkerPair("<think>", "</think>"),
    MarkerPair("[THINK]", "[/THINK]"),
    MarkerPair("<|START_THINKING|>", "<|END_THINKING|>"),
    MarkerPair("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
    MarkerPair("<thinking>", "</thinking>"),
    MarkerPair("<|inner_prefix|>", "<|inner_suffix|>"),
)
"""Enclosures of reasoning, those first that a template may have beside a later one without meaning it."""

ENVELOPES: Final = (
    MarkerPair("<|open|>response<|sep|>", "<|close|>response<|sep|>"),
    MarkerPair("<|START_TEXT|>", "<|END_TEXT|>"),
    MarkerPair("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    MarkerPair("<response>", "</response>"),
)
"""Enclosures of the answer itself."""

HARMONY_REASONING: Final = MarkerPair(
    "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"
)
RECIPIENT_REASONING: Final = MarkerPair(" to=self<|message|>", "<|eom|><|start|>assistant to=user<|message|>")


@dataclass(frozen=True, slots=True)
class Family:
    """How the models of one family write.

    Attributes:
        name: For people and tests.
        style: The order of things: blocks between markers, harmony's channels, or messages to recipients.
        reasoning: Its enclosure; None where there is no thinking. For channels, what leads into the reasoning
            and from it to the answer.
        tools: How tool calls are written; None where the template says nothing of them.
        envelope: Around the answer; None mostly.
        silent: Markers that mean nothing to a reader.
        breaks: What the template writes behind the opening, before the closing, and behind the closing
            marker of the reasoning.
    """

    name: str
    style: Style = "blocks"
    reasoning: MarkerPair | None = None
    tools: ToolFormat | None = None
    envelope: MarkerPair | None = None
    silent: tuple[str, ...] = ()
    breaks: tuple[str, str, str] = ("", "", "")

    @property
    def opening_text(self) -> str:
        """What leads into the reasoning; "" where there is none."""
        if self.reasoning is None:
            return ""
        return self.reasoning.opening + self.breaks[0]

    @property
    def closing_text(self) -> str:
        """What ends the reasoning and leads into the answer; "" where there is none."""
        if self.reasoning is None:
            return ""
        lead = self.answer_lead if self.style == "blocks" else ""
        return self.breaks[1] + self.reasoning.closing + self.breaks[2] + lead

    @property
    def answer_lead(self) -> str:
        """What leads into the answer where there was no reasoning."""
        if self.style != "blocks":
            return _ANSWER_LEADS[self.style]
        if self.envelope is not None and self.envelope.opening.startswith("<|"):
            return self.envelope.opening
        return ""

    @property
    def call_parts(self) -> tuple[str, str] | None:
        """What stands before the name of a tool in a call, and from there to the arguments; None: unknown."""
        if self.style == "harmony":
            return "<|channel|>commentary to=functions.", " <|constrain|>json<|message|>"
        if self.style == "functionary":
            return "", "\n"
        lead = self.tools.lead if self.tools is not None and self.style == "blocks" else ("", "")
        return lead if lead[0] else None

    def call_lead(self, name: str) -> str:
        """What makes the model call a tool, that of this name or ("") any; "" where nothing does."""
        if self.call_parts is None:
            return ""
        before, after = self.call_parts
        return f"{before}{name}{after}" if name else before

    @property
    def markers(self) -> tuple[str, ...]:
        """Everything that may be a token and matters."""
        tools = (*self.tools.opens, *self.tools.markers) if self.tools is not None else ()
        return tuple(dict.fromkeys((*self.hidden, *tools)))

    @property
    def hidden(self) -> tuple[str, ...]:
        """Those that are never shown, not even where they make no sense."""
        pairs = (self.reasoning, self.envelope) if self.style == "blocks" else ()
        return (*self.silent, *(end for pair in pairs if pair for end in (pair.opening, pair.closing)))


_ANSWER_LEADS: Final = {
    "harmony": "<|channel|>final<|message|>",
    "recipients": " to=user<|message|>",
    "functionary": "all\n",
}

HARMONY: Final = Family(
    "harmony",
    "harmony",
    HARMONY_REASONING,
    None,
    silent=("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|call|>", "<|return|>", "<|constrain|>"),
)
MUSE: Final = Family(
    "muse",
    "recipients",
    RECIPIENT_REASONING,
    tool_tags.MUSE,
    silent=("<|start|>", "<|message|>", "<|eom|>", "<|eot|>"),
)
SOLAR: Final = Family(
    "solar",
    reasoning=MarkerPair("<|think|>", "<|end|>"),
    tools=tool_formats.SOLAR,
    envelope=MarkerPair("<|content|>", "<|end|>"),
    silent=("<|begin|>assistant",),
    breaks=("", "", "<|begin|>assistant"),
)
FUNCTIONARY: Final = Family("functionary", "functionary", silent=(">>>",))

_Test = Callable[[str], bool]


def _has(*needles: str) -> _Test:
    return lambda source: all(needle in source for needle in needles)


# In this order: the first one whose markers are there.
_TOOL_FORMATS: Final[tuple[tuple[_Test, ToolFormat], ...]] = (
    (_has("<|tool_calls_section_begin|>"), tool_formats.KIMI_K2),
    (_has("<|open|>", "<|close|>", "<|sep|>"), tool_tags.KIMI_K3),
    (_has("<role>ASSISTANT</role>", "<arg_key>"), tool_tags.LING),
    (_has("<arg_key>", "<tool_call"), tool_tags.GLM),
    (_has("<|START_ACTION|>"), tool_formats.COHERE),
    (_has("Action:", "```json", "directly-answer"), tool_formats.COMMAND_R),
    (_has("<|tool_call_start|>"), tool_literals.LFM2),
    (_has("List of tools: ["), tool_literals.LFM2),
    (_has("<|tool_list_start|>"), tool_literals.LFM2),
    (_has("<|role_sep|>", "<|message_sep|>"), tool_formats.GIGACHAT),
    (_has("]<]minimax[>[", "<invoke name="), tool_nesting.MINIMAX_M3),
    (_has("<minimax:tool_call>"), tool_tags.MINIMAX_M2),
    (_has("dsml_token", "function_calls"), tool_tags.dsml("function_calls")),
    (_has("dsml_token"), tool_tags.dsml("tool_calls")),
    (_has("<|tool_call>call:"), tool_literals.GEMMA),
    (_has('<function name="', '<param name="'), tool_tags.MINICPM),
    (_has("<seed:tool_call>"), tool_tags.SEED),
    (_has("<function=", "<parameter="), tool_tags.QWEN_XML),
    (_has("<TOOLCALL>"), tool_formats.TOOLCALL),
    (_has("<|tools_prefix|>"), tool_formats.APERTUS),
    (_has("[TOOL_CALLS]"), tool_formats.MISTRAL),
    (_has("<｜tool▁calls▁begin｜>"), tool_formats.DEEPSEEK),
    (_has("<function=", "</function>"), tool_formats.FUNCTION_TAG),
    (_has("functools"), tool_formats.FUNCTOOLS),
    (_has("<|tool_call|>"), tool_formats.GRANITE),
    (_has("<tool_calls>"), tool_formats.TOOL_CALLS),
    (_has("<tool_call>"), tool_formats.HERMES),
    (_has("<|start_header_id|>", "tool_call"), tool_formats.LLAMA),
)

# Hunyuan 3 glues a suffix to every marker: `'<think{}>'.format(SUFFIX)`.
_SUFFIXED: Final = re.compile(r"'<think\{\}>'\.format")
_SUFFIX: Final = re.compile(r"set\s+\w+\s*=\s*'(:[^']+)'")


def family_of(source: str) -> Family:
    """The family of a template, by its text."""
    if "<|channel|>" in source and "<|message|>" in source:
        return HARMONY
    if "<atem:function_calls>" in source and "<|eom|>" in source:
        return MUSE
    if ">>>all" in source:
        return FUNCTIONARY
    if "<|begin|>assistant" in source and "<|think|>" in source:
        return SOLAR
    reasoning = _reasoning_of(source)
    tools = next((found for test, found in _TOOL_FORMATS if test(source)), None)
    envelope = next((pair for pair in ENVELOPES if _mentions(source, pair.opening)), None)
    silent: tuple[str, ...] = ()
    if tools is tool_tags.KIMI_K3:
        silent = ("<|close|>message<|sep|>",)
    elif "<role>ASSISTANT</role>" in source:
        silent = ("<|role_end|>",)
    elif "<|channel>thought" in source:
        silent = ("<|channel>", "<channel|>")
    elif tools is tool_formats.COMMAND_R:
        silent = ("<|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>")
    if tools is not None:
        tools = _as_in(source, tools)
    glued = _glued(source)
    if glued and "'<tool_sep{}>'" in source:
        tools = tool_tags.hunyuan(glued)
    name = tools.name if tools else "thinking" if reasoning else "plain"
    breaks = _breaks(source, reasoning) if reasoning else ("", "", "")
    return Family(name, "blocks", reasoning, tools, envelope, silent, breaks)


def _as_in(source: str, tools: ToolFormat) -> ToolFormat:
    """The older notations of makers who have several."""
    old_lead: tuple[str, str] | None = None
    if tools is tool_formats.MISTRAL and "[ARGS]" not in source:
        old_lead = ('[TOOL_CALLS][{"name": "', '", "arguments": ')
    elif tools is tool_formats.DEEPSEEK and "```json" in source:
        old_lead = ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>", "\n```json\n")
    elif tools is tool_formats.GIGACHAT and "<|function_call|>" not in source:
        old_lead = ('<|message_sep|>\n\nfunction call<|role_sep|>\n{"name": "', '", "arguments": ')
    return tools if old_lead is None else replace(tools, lead=old_lead)


def _breaks(source: str, pair: MarkerPair) -> tuple[str, str, str]:
    """Line breaks beside the markers, in the longest form that a template has; not those of empty blocks."""
    opening, closing, some = re.escape(pair.opening), re.escape(pair.closing), r"((?:\\n|\n)*)"
    after_opening = [m[1] for m in re.finditer(rf"{opening}{some}(?!{closing}|\\n|\n)", source)]
    before_closing = [
        m[1]
        for m in re.finditer(rf"{some}{closing}", source)
        if not source[: m.start()].endswith(pair.opening)
    ]
    after_closing = [m[1] for m in re.finditer(rf"{closing}{some}", source)]
    found = [max(runs, key=len, default="") for runs in (after_opening, before_closing, after_closing)]
    first, second, third = (run.replace("\\n", "\n") for run in found)
    return first, second, third


def _reasoning_of(source: str) -> MarkerPair | None:
    if glued := _glued(source):
        return MarkerPair(f"<think{glued}>", f"</think{glued}>")
    for pair in MARKER_PAIRS:
        if _mentions(source, pair.opening) or _mentions(source, pair.closing):
            return pair
    return None


def _glued(source: str) -> str:
    """The suffix of every marker of Hunyuan 3; "" elsewhere."""
    suffix = _SUFFIX.search(source) if _SUFFIXED.search(source) else None
    return suffix[1] if suffix else ""


def _mentions(source: str, marker: str) -> bool:
    """Whether a template has a marker, or the parts that it puts one together from."""
    if marker.startswith("<|open|>"):
        return "<|open|>" in source and "<|sep|>" in source and marker[8:-7] in source
    if marker.startswith(("<mm:", "</mm:")):
        return marker in source or "mm:think" in source
    if marker == "<response>":
        # Granite's; elsewhere it may be a word for what a tool says.
        return marker in source and "<|start_of_role|>" in source
    return marker in source
